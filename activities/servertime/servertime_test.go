package servertime

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/activities/activitytest"
	"github.com/pinflow/pinflow/internal/pause"
)

func TestClock(t *testing.T) {
	server := time.Date(2022, 10, 19, 0, 0, 0, 0, time.UTC)

	t.Run("is_the_servers_however_far_the_worker_is_off", func(t *testing.T) {
		for _, skew := range []time.Duration{-time.Hour, -50 * time.Millisecond, 0, 5 * time.Second} {
			local := server.Add(skew)
			clock := pause.Clock{
				Time: func() time.Time { return local },
				Wait: func(_ context.Context, d time.Duration) error { local = local.Add(d); return nil },
			}
			look := func(ctx context.Context, _ string) ([]time.Time, error) {
				c := Of(ctx, clock)
				times := []time.Time{c.Now()}
				local = local.Add(time.Minute)
				times = append(times, c.Now())
				err := c.WaitUntil(ctx, server.Add(90*time.Second), "the test")
				return append(times, c.Now()), err
			}
			times, err := activitytest.ExecuteIn[[]time.Time](activitytest.EnvironmentAt(server), look, "")
			require.NoError(t, err)
			require.Equal(t, []time.Time{server, server.Add(time.Minute), server.Add(90 * time.Second)}, times, "worker off by %s", skew)
		}
	})

	t.Run("a_wait_ends_with_its_context", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		waits := func(ctx context.Context, _ string) error {
			cancel()
			return Of(ctx, pause.Clock{}).WaitUntil(ctx, time.Now().Add(time.Hour), "the test")
		}
		_, err := activitytest.ExecuteIn[any](activitytest.EnvironmentIn(ctx), waits, "")
		require.ErrorContains(t, err, context.Canceled.Error())
	})
}
