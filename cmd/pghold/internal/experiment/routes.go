package experiment

// Routes are all the routes there are, group by group; the seed's four come first,
// in the seed's order.
var Routes = []Route{
	{
		Name: "sync_session_sleep_outside_session", Group: "seed", Sync: true,
		Summary: "closes its session, then makes the slow call; on a thread",
		Steps:   []Step{Statement, Release, SlowCall},
	},
	{
		Name: "sync_session_sleep_inside_session", Group: "seed", Sync: true,
		Summary: "makes the slow call with its session open; on a thread",
		Steps:   []Step{Statement, SlowCall, Release},
	},
	{
		Name: "async_session_sleep_outside_session", Group: "seed",
		Summary: "closes its session, then makes the slow call",
		Steps:   []Step{Statement, Release, SlowCall},
	},
	{
		Name: "async_session_sleep_inside_session", Group: "seed",
		Summary: "makes the slow call with its session open",
		Steps:   []Step{Statement, SlowCall, Release},
	},

	{
		Name: "commit_before_call", Group: "remedies",
		Summary: "one session per request, committed before the slow call",
		Steps:   []Step{Statement, Release, SlowCall},
	},
	{
		Name: "commit_then_touch", Group: "remedies",
		Summary: "the same, but reads what the commit expired before the call: the trap",
		Steps:   []Step{Statement, Release, Statement, SlowCall, Release},
	},
	{
		Name: "release_and_resume", Group: "remedies",
		Summary: "one session per request, which is released for the slow call and goes on after it",
		Steps:   []Step{Statement, Release, SlowCall, Statement, Release},
	},
	{
		Name: "autocommit_inside", Group: "remedies",
		Summary: "reads without BEGIN and keeps the session open through the slow call",
		Steps:   []Step{Autocommit, SlowCall, Release},
	},
	{
		Name: "autocommit_local", Group: "remedies",
		Summary: "reads without BEGIN in a session of its own, then makes the slow call",
		Steps:   []Step{Autocommit, Release, SlowCall},
	},
	{
		Name: "two_local_sessions", Group: "remedies",
		Summary: "a session before the slow call to read, and another after it to write",
		Steps:   []Step{Statement, Release, SlowCall, Statement, Release},
	},
	{
		Name: "session_per_request", Group: "remedies",
		Summary: "middleware opens a session for the request; the handler thinks of nothing",
		Steps:   []Step{Statement, SlowCall, Release},
	},

	{
		Name: "chat_inside_session", Group: "streaming",
		Summary: "asks a chat model over HTTP with its session open",
		Steps:   []Step{Statement, SlowCall, Release},
	},
	{
		Name: "chat_outside_session", Group: "streaming",
		Summary: "closes its session, then asks a chat model over HTTP",
		Steps:   []Step{Statement, Release, SlowCall},
	},
	{
		Name: "stream_inside_session", Group: "streaming",
		Summary: "passes the model's answer on as it comes, with its session open",
		Steps:   []Step{Statement, SlowCall, Release},
	},
	{
		Name: "stream_outside_session", Group: "streaming",
		Summary: "closes its session, then passes the model's answer on as it comes",
		Steps:   []Step{Statement, Release, SlowCall},
	},
	{
		Name: "stream_session_per_request", Group: "streaming",
		Summary: "middleware releases the session when the streamed response is done",
		Steps:   []Step{Statement, SlowCall, Release},
	},
	{
		Name: "stream_session_per_handler", Group: "streaming",
		Summary: "middleware releases the session when the handler is done, before the stream",
		Steps:   []Step{Statement, Release, SlowCall},
	},

	{
		Name: "update_in_one_transaction", Group: "price",
		Summary: "locks the row with SELECT FOR UPDATE, calls, writes: one transaction",
		Steps:   []Step{Lock, SlowCall, Statement, Statement, Release},
	},
	{
		Name: "update_split_naive", Group: "price",
		Summary:  "reads, calls, writes what it read plus one: loses updates",
		Steps:    []Step{Statement, Release, SlowCall, Lock, Statement, Release},
		Conflict: Overwrite,
	},
	{
		Name: "update_split_version", Group: "price",
		Summary:  "writes only if the row's version is still the one read; else reads again and writes",
		Steps:    []Step{Statement, Release, SlowCall, Lock, Statement, Release},
		Conflict: ReadAgain,
	},
	{
		Name: "update_split_version_call_again", Group: "price",
		Summary:  "the same where the call depends on what was read, so that it is made again",
		Steps:    []Step{Statement, Release, SlowCall, Lock, Statement, Release},
		Conflict: CallAgain,
	},
	{
		Name: "update_split_atomic", Group: "price",
		Summary: "reads, calls, writes set balance = balance + 1",
		Steps:   []Step{Statement, Release, SlowCall, Lock, Statement, Release},
	},
	{
		Name: "update_split_lease", Group: "price",
		Summary:  "takes the row for itself for a while, calls, writes and gives it back",
		Steps:    []Step{Lock, Release, SlowCall, Lock, Statement, Release},
		Conflict: Lease,
	},
	{
		Name: "update_outbox", Group: "price",
		Summary: "writes down what is to be done and answers; a worker calls, with an idempotency key",
		Steps:   []Step{Statement, Release, Answer, Lock, Release, SlowCall, Lock, Statement, Statement, Release},
	},
	{
		Name: "update_outbox_without_key", Group: "price",
		Summary: "the same without an idempotency key: what is called again is paid again",
		Steps:   []Step{Statement, Release, Answer, Lock, Release, SlowCall, Lock, Statement, Statement, Release},
	},

	{
		Name: "read_begin_alone", Group: "trips",
		Summary: "BEGIN, SELECT, ROLLBACK: three round trips, as SQLAlchemy's drivers make them",
		Steps:   []Step{Begin, Statement, Release},
	},
	{
		Name: "read_autobegin", Group: "trips",
		Summary: "BEGIN travels with the SELECT, then ROLLBACK: two round trips",
		Steps:   []Step{Statement, Release},
	},
	{
		Name: "read_autocommit", Group: "trips",
		Summary: "SELECT without a transaction: one round trip",
		Steps:   []Step{Autocommit, Release},
	},
}
