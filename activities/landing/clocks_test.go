package landing

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"pgregory.net/rapid"

	"github.com/pinflow/pinflow/activities/activitytest"
	"github.com/pinflow/pinflow/internal/dates"
)

// The clocks of the Temporal server, of the workers, and of those who give records their times
// differ.
func TestClocks(t *testing.T) {
	t.Run("a_scheduled_run_is_never_partial", func(t *testing.T) {
		for _, skew := range []time.Duration{-5 * time.Second, -50 * time.Millisecond, 0, 50 * time.Millisecond, 5 * time.Second} {
			t.Run(skew.String(), func(t *testing.T) {
				l := newLandings(1, at(day, 24))
				l.skew = skew
				l.broker.produce(topic, 0, at(day, 1), "{}")
				plan, _ := l.land(t, day)
				require.False(t, plan.Partial)
				require.Equal(t, day.End(), plan.Until)
				l.broker.produce(topic, 0, at(day, 24).Add(-20*time.Millisecond), "{}") // arrives late
				l.broker.produce(topic, 0, at(day, 25), "{}")
				l.now = at(day, 48)
				l.land(t, day.Add(1))
				require.Equal(t, []string{"0/0"}, l.offsets(t, day))
				require.Equal(t, []string{"0/1", "0/2"}, l.offsets(t, day.Add(1)))
			})
		}
	})

	t.Run("a_worker_ahead_does_not_end_a_date_early", func(t *testing.T) {
		l := newLandings(1, at(day, 23.99))
		l.skew = time.Hour
		l.broker.produce(topic, 0, at(day, 1), "{}")
		plan, _ := l.land(t, day)
		require.True(t, plan.Partial)
		require.Equal(t, at(day, 23.99), plan.Until)
		require.Empty(t, l.bucket.Keys(boundaryKey(topic, day)), "no boundary is written before the date is over")
	})

	// A record that arrives during the wait belongs to the date.
	t.Run("a_plan_just_before_the_end_of_a_date_waits_for_it", func(t *testing.T) {
		for _, before := range []time.Duration{time.Millisecond, time.Second, nearEnd} {
			t.Run(before.String(), func(t *testing.T) {
				l := newLandings(1, day.End().Add(-before))
				l.skew = -5 * time.Second
				late := false
				l.onWait = func() {
					if !late {
						l.broker.produce(topic, 0, day.End().Add(-time.Millisecond), "{}")
					}
					late = true
				}
				plan, summary := l.land(t, day)
				require.False(t, plan.Partial)
				require.Equal(t, day.End(), l.now, "it waits no longer than that")
				require.EqualValues(t, 1, summary.Records)
			})
		}
		l := newLandings(1, day.End().Add(-nearEnd-time.Second))
		plan, _ := l.land(t, day)
		require.True(t, plan.Partial, "an earlier plan does not wait")
	})

	t.Run("the_wait_heartbeats_and_says_for_what", func(t *testing.T) {
		l := newLandings(1, day.End().Add(-5*time.Second))
		env := activitytest.EnvironmentAt(l.now)
		var said []string
		env.SetOnActivityHeartbeatListener(func(_ *activity.Info, details converter.EncodedValues) {
			var text string
			require.NoError(t, details.Get(&text))
			said = append(said, text)
		})
		_, err := activitytest.ExecuteIn[Plan](env, l.PlanLanding, PlanInput{Topic: "pin", Date: day})
		require.NoError(t, err)
		require.NotEmpty(t, said)
		require.Equal(t, "waiting for the end of 2022-10-18", said[0])
	})

	// Records arrive around midnight. Each date has a scheduled run just after it ends, and manual
	// runs at any time, by workers whose clocks are off by up to 5 s; so is the clock that gives
	// records their times.
	t.Run("each_record_falls_into_one_date", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			const days = 3
			draw := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
			off := func() time.Duration { return time.Duration(draw.Int64N(int64(10*time.Second))) - 5*time.Second }
			l := newLandings(2, at(day, 0.5))
			l.ObjectRecords = 1 + draw.IntN(4)

			var arrivals []time.Time
			var plans []planned
			for n := range days {
				midnight := day.Add(n).End()
				for range draw.IntN(12) {
					arrivals = append(arrivals, midnight.Add(time.Duration(draw.Int64N(int64(40*time.Second)))-20*time.Second))
				}
				plans = append(plans, planned{at: midnight.Add(time.Duration(draw.Int64N(int64(500 * time.Millisecond)))), date: day.Add(n), scheduled: true})
				for range draw.IntN(4) {
					manual := midnight.Add(time.Duration(draw.Int64N(int64(40*time.Second))) - 20*time.Second)
					plans = append(plans, planned{at: manual, date: dates.Of(manual)})
				}
			}
			slices.SortFunc(arrivals, time.Time.Compare)
			slices.SortStableFunc(plans, func(a, b planned) int { return a.at.Compare(b.at) })
			brokerOff := off()
			arrive := func() { // what has arrived by now
				for len(arrivals) > 0 && !arrivals[0].After(l.now) {
					l.broker.produce(topic, draw.IntN(2), arrivals[0].Add(brokerOff), "{}")
					arrivals = arrivals[1:]
				}
			}
			l.onWait = arrive
			for _, p := range plans {
				if p.at.After(l.now) {
					l.now = p.at
				}
				arrive()
				l.skew = off()
				plan, _ := l.land(t, p.date)
				if p.scheduled {
					require.False(t, plan.Partial, "the scheduled run of %s, with a worker off by %s", p.date, l.skew)
				}
			}
			l.now = at(day.Add(days), 24)
			arrive()
			l.land(t, day.Add(days))
			l.requireExactlyOnce(t, day, day.Add(days))
			var all []string
			for n := range days + 1 {
				all = append(all, l.offsets(t, day.Add(n))...)
			}
			slices.Sort(all)
			var want []string
			for partition, log := range l.broker.topics[topic] {
				for _, record := range log.records {
					want = append(want, fmt.Sprintf("%d/%d", partition, record.Offset))
				}
			}
			slices.Sort(want)
			require.Equal(t, want, all, "nothing is lost, nothing twice")
		})
	})
}

// planned is a run that plans a date at a time of the server.
type planned struct {
	at        time.Time
	date      dates.Date
	scheduled bool
}
