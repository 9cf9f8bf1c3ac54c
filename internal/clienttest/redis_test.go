package clienttest

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/holdtest"
)

// recipe: redis
// slowRedis tells of the commands of a Redis client, by their names and never by their
// keys.
type slowRedis struct{}

func (*slowRedis) DialHook(next redis.DialHook) redis.DialHook {
	return next // whoever needs the connection waits for it in a command
}

func (*slowRedis) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		call := pghold.StartSlowCall(ctx, "redis "+strings.ToUpper(cmd.Name()))
		defer call.End()
		return next(call.Within(ctx), cmd) // what the client says to connect is no call of its own
	}
}

func (*slowRedis) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		call := pghold.StartSlowCall(ctx, "redis pipeline")
		defer call.End()
		return next(call.Within(ctx), cmds)
	}
}

// end

func TestRedis(t *testing.T) {
	addr := miniredis.RunT(t).Addr()
	// recipe: redis client
	recorder := pghold.NewRecorder(pghold.Config{Skip: []string{"github.com/pghold/pghold/internal/clienttest.slowRedis"}})
	client := redis.NewClient(&redis.Options{Addr: addr})
	client.AddHook(&slowRedis{})
	// end
	defer client.Close()
	c := &redisCache{client}
	testSlowCalls(t, recorder, "get", c.get, "redis GET in (*redisCache).get")
	testSlowCalls(t, recorder, "set", c.set, "redis SET in (*redisCache).set")
	testSlowCalls(t, recorder, "pipeline", c.pipeline, "redis pipeline in (*redisCache).pipeline")
	testSlowCalls(t, recorder, "tx", c.tx, "redis pipeline in (*redisCache).tx")
	testSlowCalls(t, recorder, "watch", c.watch, "redis WATCH in (*redisCache).watch", "redis UNWATCH in (*redisCache).watch", "redis GET in (*redisCache).watch.func1")
	if left := holdtest.Find(recorder.Snapshot(), holdtest.Rules{Accepted: []holdtest.Place{{Func: "*", Call: "redis *", Reason: "…"}}}); len(left) != 0 {
		t.Errorf("where Redis may be asked within a hold there is still %v", left)
	}
}

type redisCache struct{ client *redis.Client }

func (c *redisCache) get(ctx context.Context) error {
	err := c.client.Get(ctx, "session:secret").Err()
	if errors.Is(err, redis.Nil) {
		return nil
	}
	return err
}

func (c *redisCache) set(ctx context.Context) error {
	return c.client.Set(ctx, "session:secret", 1, 0).Err()
}

func (c *redisCache) pipeline(ctx context.Context) error {
	p := c.client.Pipeline()
	p.Incr(ctx, "visits:secret")
	p.Incr(ctx, "visits:secret")
	_, err := p.Exec(ctx)
	return err
}

func (c *redisCache) tx(ctx context.Context) error {
	p := c.client.TxPipeline()
	p.Incr(ctx, "visits:secret")
	_, err := p.Exec(ctx)
	return err
}

func (c *redisCache) watch(ctx context.Context) error {
	return c.client.Watch(ctx, func(tx *redis.Tx) error { return tx.Get(ctx, "visits:secret").Err() }, "visits:secret")
}
