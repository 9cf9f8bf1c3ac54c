package lab

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// room asks for each limit on connections how many are left of it, conn's own being in
// use. -1 is no limit; superusers have only the server's. The reserved slots are left to
// those who need them in an emergency. Somebody else's session may show no backend_type.
const room = `
	with clients as (
		select usesysid, datid from pg_stat_activity
		where usesysid is not null and datid is not null and coalesce(backend_type, 'client backend') = 'client backend'),
	me as (select * from pg_roles where rolname = session_user),
	here as (select * from pg_database where datname = current_database())
	select 'max_connections', current_setting('max_connections')::int
	       - current_setting('superuser_reserved_connections')::int
	       - coalesce(current_setting('reserved_connections', true)::int, 0)
	       - (select count(*) from clients)::int
	union all
	select 'role', rolconnlimit - (select count(*) from clients where usesysid = me.oid)::int
	from me where rolconnlimit >= 0 and not rolsuper
	union all
	select 'database', datconnlimit - (select count(*) from clients where datid = here.oid)::int
	from here, me where datconnlimit >= 0 and not rolsuper
	order by 2 limit 1`

// checkRoom returns an error that says what to raise where there is no room for need more
// connections.
func checkRoom(ctx context.Context, conn *pgx.Conn, need int) error {
	var limit string
	var free int
	if err := conn.QueryRow(ctx, room).Scan(&limit, &free); err != nil {
		return fmt.Errorf("asking Postgres how many connections it has room for: %w", err)
	}
	if free >= need {
		return nil
	}
	who, raise := "this Postgres", "raise max_connections"
	cc := conn.Config()
	switch limit {
	case "role":
		who = fmt.Sprintf("role %q", cc.User)
		raise = fmt.Sprintf("raise its limit (alter role %s connection limit N)", pgx.Identifier{cc.User}.Sanitize())
	case "database":
		who = fmt.Sprintf("database %q", cc.Database)
		raise = fmt.Sprintf("raise its limit (alter database %s connection limit N)", pgx.Identifier{cc.Database}.Sanitize())
	}
	return fmt.Errorf("%s has room for %d more connections and the experiment needs %d: %s, or lower --pool-size and --max-overflow",
		who, max(free, 0), need, raise)
}
