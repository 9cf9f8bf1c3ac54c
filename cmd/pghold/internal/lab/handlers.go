package lab

import "context"

// handler is what a route does: it answers, or says why not.
type handler func(a *App, ctx context.Context) (reply, error)

// handlers are the routes' handlers, by the route's name. What they have in common is
// how they are meant to be read: each is what one would write in a service.
var handlers = map[string]handler{
	"sync_session_sleep_outside_session":  (*App).outside,
	"sync_session_sleep_inside_session":   (*App).inside,
	"async_session_sleep_outside_session": (*App).outside,
	"async_session_sleep_inside_session":  (*App).inside,

	"commit_before_call":  (*App).commitBeforeCall,
	"commit_then_touch":   (*App).commitThenTouch,
	"release_and_resume":  (*App).releaseAndResume,
	"autocommit_inside":   (*App).autocommitInside,
	"autocommit_local":    (*App).autocommitLocal,
	"two_local_sessions":  (*App).twoLocalSessions,
	"session_per_request": (*App).thinkOfNothing,

	"chat_inside_session":        (*App).chatInside,
	"chat_outside_session":       (*App).chatOutside,
	"stream_inside_session":      (*App).streamInside,
	"stream_outside_session":     (*App).streamOutside,
	"stream_session_per_request": (*App).streamAnswer,
	"stream_session_per_handler": perHandler((*App).streamAnswer),

	"update_in_one_transaction":       (*App).updateInOneTransaction,
	"update_split_naive":              (*App).updateSplitNaive,
	"update_split_version":            (*App).updateSplitVersion,
	"update_split_version_call_again": (*App).updateSplitVersionCallAgain,
	"update_split_atomic":             (*App).updateSplitAtomic,
	"update_split_lease":              (*App).updateSplitLease,
	"update_outbox":                   (*App).updateOutbox,
	"update_outbox_without_key":       (*App).updateOutboxWithoutKey,

	"read_begin_alone": (*App).readBeginAlone,
	"read_autobegin":   (*App).readAutobegin,
	"read_autocommit":  (*App).readAutocommit,
}

// perRequest are the routes whose session the framework opens: session.PerRequest
// stands around their handlers.
var perRequest = map[string]bool{
	"commit_before_call":         true,
	"commit_then_touch":          true,
	"release_and_resume":         true,
	"session_per_request":        true,
	"stream_session_per_request": true,
}
