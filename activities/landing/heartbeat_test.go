package landing

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"

	"github.com/pinflow/pinflow/activities/activitytest"
)

func TestPlanHeartbeat(t *testing.T) {
	// Without heartbeats the plan of a worker that was killed starts again after its timeout, a minute
	// later.
	t.Run("comes_while_a_system_is_slow", func(t *testing.T) {
		l := newLandings(1, at(day, 25))
		l.beat = time.Millisecond
		var beats, silent atomic.Int32
		env := activitytest.EnvironmentAt(l.now)
		env.SetOnActivityHeartbeatListener(func(*activity.Info, converter.EncodedValues) { beats.Add(1) })
		l.broker.fault = func(string, string) error {
			for began := time.Now(); beats.Load() == 0; time.Sleep(5 * time.Millisecond) {
				if time.Since(began) > 5*time.Second {
					silent.Add(1)
					return errors.New("slow, and no heartbeat") // retries heartbeat, too
				}
			}
			return nil
		}
		_, err := activitytest.ExecuteIn[Plan](env, l.PlanLanding, PlanInput{Topic: "pin", Date: day})
		require.NoError(t, err)
		require.Zero(t, silent.Load(), "no heartbeat in five seconds")
	})

	t.Run("ends_with_the_plan", func(t *testing.T) {
		l := newLandings(1, at(day, 25))
		l.beat = time.Millisecond
		var beats atomic.Int32
		env := activitytest.EnvironmentAt(l.now)
		env.SetOnActivityHeartbeatListener(func(*activity.Info, converter.EncodedValues) { beats.Add(1) })
		_, err := activitytest.ExecuteIn[Plan](env, l.PlanLanding, PlanInput{Topic: "pin", Date: day})
		require.NoError(t, err)
		after := beats.Load()
		time.Sleep(20 * time.Millisecond)
		require.Equal(t, after, beats.Load())
	})
}
