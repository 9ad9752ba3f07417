package landing

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/activities/activitytest"
	"github.com/pinflow/pinflow/internal/bucket"
	"github.com/pinflow/pinflow/internal/bucket/buckettest"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/failure"
)

func TestPlan_DateEndsAtTheFirstRecordOfTheNext(t *testing.T) {
	l := newLandings(2, At(Day, 25))
	l.broker.produce(topic, 0, At(Day, -1), "{}")
	l.broker.produce(topic, 0, At(Day, 0), "{}")
	l.broker.produce(topic, 0, At(Day, 23.9), "{}")
	l.broker.produce(topic, 0, At(Day, 24), "{}")
	l.broker.produce(topic, 0, At(Day, 23), "{}") // late: behind the boundary, it belongs to the next date
	l.broker.produce(topic, 1, At(Day, 1), "{}")
	plan, err := l.plan(Day)
	require.NoError(t, err)
	require.Equal(t, Plan{Topic: topic, Date: Day, Until: Day.End(), Ranges: []Range{{0, 1, 3}, {1, 0, 1}}}, plan)
	require.Equal(t, []string{"boundaries/u.pin/2022-10-17.json", "boundaries/u.pin/2022-10-18.json"}, l.bucket.Keys("boundaries/"))
	body, err := l.bucket.Get(context.Background(), "boundaries/u.pin/2022-10-18.json")
	require.NoError(t, err)
	require.JSONEq(t, `{"0":3,"1":1}`, string(body))
}

func TestPlan_BoundaryIsFixedOnceAndReadByEverybody(t *testing.T) {
	l := newLandings(1, At(Day, 25))
	l.broker.produce(topic, 0, At(Day, 1), "{}")
	first, err := l.plan(Day)
	require.NoError(t, err)
	l.broker.produce(topic, 0, At(Day, 2), "{}") // arrives after the boundary was fixed at the end of the topic
	l.now = At(Day, 100)
	second, err := l.plan(Day)
	require.NoError(t, err)
	require.Equal(t, first, second)
	next, err := l.plan(Day.Add(1))
	require.NoError(t, err)
	require.Equal(t, []Range{{0, 1, 2}}, next.Ranges, "the late record is the next date's")
}

func TestPlan_LoserOfTheRaceReadsTheWinnersBoundary(t *testing.T) {
	l := newLandings(1, At(Day, 25))
	l.broker.produce(topic, 0, At(Day, 1), "{}")
	key := boundaryKey(topic, Day)
	l.bucket.Fault = func(request, at string) error {
		if request == "put" && at == key {
			l.bucket.Fault = nil
			return l.bucket.Put(context.Background(), bucket.PutInput{Key: key, Body: []byte(`{"0":0}`)}) // another planner writes first
		}
		return nil
	}
	plan, err := l.plan(Day)
	require.NoError(t, err)
	require.Equal(t, []Range{{0, 0, 0}}, plan.Ranges)
}

// Where no record ends a date, its boundary is the end of the topic at that moment. Two planners must not fix two dates so at once.
func TestPlan_BoundariesThatRaceDoNotCross(t *testing.T) {
	l := newLandings(1, At(Day, 25))
	l.broker.produce(topic, 0, At(Day, -100), "{}")
	l.bucket.Fault = func(request, key string) error {
		if request != "put" || key != boundaryKey(topic, Day.Add(-3)) {
			return nil
		}
		l.bucket.Fault = nil
		l.broker.produce(topic, 0, At(Day, -100), "{}")
		l.broker.produce(topic, 0, At(Day, -36), "{}")
		_, err := l.plan(Day.Add(-4)) // another planner, while the boundary is computed but not written
		return err
	}
	_, err := l.plan(Day.Add(-2))
	require.NoError(t, err)
	l.requireBoundariesInOrder(t)
}

func TestPlan_OlderBoundariesDoNotCrossNewerOnes(t *testing.T) {
	l := newLandings(1, At(Day, 25))
	l.broker.produce(topic, 0, At(Day, -60), "{}")
	_, err := l.plan(Day) // fixes 17 and 18 at offset 1, the end: nothing is as new
	require.NoError(t, err)
	l.broker.produce(topic, 0, At(Day, -70), "{}") // late
	l.broker.produce(topic, 0, At(Day, 26), "{}")
	l.now = At(Day, 50)
	for _, date := range []dates.Date{Day.Add(-1), Day.Add(-2), Day.Add(-3), Day.Add(1)} {
		_, err := l.plan(date)
		require.NoError(t, err, date)
	}
	l.requireBoundariesInOrder(t)
	next, err := l.plan(Day.Add(1))
	require.NoError(t, err)
	require.Equal(t, []Range{{0, 1, 3}}, next.Ranges)
}

func (l *landings) requireBoundariesInOrder(t *testing.T) {
	before := int64(0)
	for _, key := range l.bucket.Keys("boundaries/") {
		fixed := boundary{}
		require.NoError(t, json.Unmarshal(l.bucket.Objects[key].Body, &fixed))
		require.GreaterOrEqual(t, fixed.at(0), before, key)
		before = fixed.at(0)
	}
}

func TestPlan_RecordFromTheFarFutureDoesNotEndADate(t *testing.T) {
	l := newLandings(1, At(Day, 25))
	l.broker.produce(topic, 0, At(Day, 1), "{}")
	l.broker.produce(topic, 0, At(Day, 24*3650), "{}") // a clock ten years fast
	l.broker.produce(topic, 0, At(Day, 2), "{}")
	plan, err := l.plan(Day)
	require.NoError(t, err)
	require.Equal(t, []Range{{0, 0, 3}}, plan.Ranges)
}

func TestPlan_PartialDateGoesOnWhereItsObjectsEnd(t *testing.T) {
	l := newLandings(1, At(Day, 12))
	l.broker.produce(topic, 0, At(Day, 1), `{"index":1}`)
	l.broker.produce(topic, 0, At(Day, 2), `{"index":2}`)
	plan, summary := l.land(t, Day)
	require.True(t, plan.Partial)
	require.Equal(t, At(Day, 12), plan.Until)
	require.Equal(t, []Range{{0, 0, 2}}, plan.Ranges)
	require.EqualValues(t, 2, summary.Records)

	l.broker.produce(topic, 0, At(Day, 13), `{"index":3}`)
	l.now = At(Day, 14)
	plan, summary = l.land(t, Day)
	require.Equal(t, []Range{{0, 2, 3}}, plan.Ranges)
	require.EqualValues(t, 3, summary.Records, "the manifest is of the whole date")

	l.broker.produce(topic, 0, At(Day, 23), `{"index":4}`)
	l.broker.produce(topic, 0, At(Day, 24), `{"index":5}`)
	l.now = At(Day, 25)
	plan, summary = l.land(t, Day)
	require.False(t, plan.Partial)
	require.Equal(t, []Range{{0, 3, 4}}, plan.Ranges)
	require.EqualValues(t, 4, summary.Records)
	require.Equal(t, []string{"0/0", "0/1", "0/2", "0/3"}, l.offsets(t, Day))

	plan, again := l.land(t, Day)
	require.Equal(t, []Range{{0, 4, 4}}, plan.Ranges)
	require.Equal(t, summary, again)
}

// A producer whose clock is fast stamps a record with tomorrow's time. The boundary will give it to tomorrow, so today must not land it.
func TestPlan_PartialDateStopsBeforeARecordOfALaterDate(t *testing.T) {
	l := newLandings(1, At(Day, 23.9))
	l.broker.produce(topic, 0, At(Day, 23), "{}")
	l.broker.produce(topic, 0, At(Day, 24.1), "{}")
	l.broker.produce(topic, 0, At(Day, 23.5), "{}")
	l.land(t, Day)
	l.now = At(Day, 49)
	l.land(t, Day)
	l.land(t, Day.Add(1))
	require.Equal(t, []string{"0/0"}, l.offsets(t, Day))
	require.Equal(t, []string{"0/1", "0/2"}, l.offsets(t, Day.Add(1)))
}

func TestPlan_NewPartitionStartsAtItsFirstOffset(t *testing.T) {
	l := newLandings(1, At(Day, 25))
	l.broker.produce(topic, 0, At(Day, 1), "{}")
	l.land(t, Day)
	l.broker.addPartition(topic)
	l.broker.produce(topic, 1, At(Day, 26), "{}")
	l.broker.produce(topic, 0, At(Day, 27), "{}")
	l.now = At(Day, 49)
	plan, _ := l.land(t, Day.Add(1))
	require.Equal(t, []Range{{0, 1, 2}, {1, 0, 1}}, plan.Ranges)
	plan, _ = l.land(t, Day)
	require.Equal(t, []Range{{0, 1, 1}, {1, 0, 0}}, plan.Ranges, "the date's boundary does not know the partition: none of it is the date's")
}

func TestPlan_DeletedByRetention(t *testing.T) {
	t.Run("landed before: nothing is left to do", func(t *testing.T) {
		l := newLandings(1, At(Day, 25))
		l.broker.produce(topic, 0, At(Day, 1), "{}")
		l.broker.produce(topic, 0, At(Day, 2), "{}")
		_, summary := l.land(t, Day)
		l.broker.expire(topic, 0, 2)
		plan, again := l.land(t, Day)
		require.Equal(t, []Range{{0, 2, 2}}, plan.Ranges)
		require.Equal(t, summary, again)
	})
	t.Run("not landed: the error names the offsets", func(t *testing.T) {
		l := newLandings(2, At(Day, 25))
		for range 10 {
			l.broker.produce(topic, 1, At(Day, 1), "{}")
		}
		_, err := l.plan(Day) // fixes the boundaries
		require.NoError(t, err)
		l.broker.expire(topic, 1, 7)
		_, err = l.plan(Day)
		activitytest.RequireNonRetryable(t, err, failure.OffsetsGone, "partition 1 offsets 0 to 6", "retention.ms", topic, string(Day))
		l.broker.expire(topic, 1, 10)
		_, err = l.plan(Day)
		activitytest.RequireNonRetryable(t, err, failure.OffsetsGone, "partition 1 offsets 0 to 9")
	})
	t.Run("landed in part: the error names the rest", func(t *testing.T) {
		l := newLandings(1, At(Day, 12))
		l.broker.produce(topic, 0, At(Day, 1), "{}")
		l.land(t, Day)
		l.broker.produce(topic, 0, At(Day, 13), "{}")
		l.broker.produce(topic, 0, At(Day, 13), "{}")
		l.broker.expire(topic, 0, 2)
		_, err := l.plan(Day)
		activitytest.RequireNonRetryable(t, err, failure.OffsetsGone, "partition 0 offsets 1 to 1")
	})
	t.Run("before the first date that is asked for: nobody misses it", func(t *testing.T) {
		l := newLandings(1, At(Day, 25))
		for hour := range 30 {
			l.broker.produce(topic, 0, At(Day, float64(hour-10)), "{}")
		}
		l.broker.expire(topic, 0, 5)
		plan, err := l.plan(Day)
		require.NoError(t, err)
		require.Equal(t, []Range{{0, 10, 30}}, plan.Ranges)
	})
}

func TestPlan_TopicThatWasReplacedIsNotLandedOver(t *testing.T) {
	tests := map[string]func(l *landings) dates.Date{
		"later date":            func(*landings) dates.Date { return Day.Add(1) },
		"fewer partitions":      func(l *landings) dates.Date { l.broker.topics[topic] = l.broker.topics[topic][:1]; return Day.Add(1) },
		"same date, incomplete": func(l *landings) dates.Date { l.bucket.Objects = boundariesOnly(l.bucket); return Day },
		"partial date":          func(l *landings) dates.Date { l.now = At(Day, 30); return Day.Add(1) },
	}
	for name, prepare := range tests {
		t.Run(name, func(t *testing.T) {
			l := newLandings(2, At(Day, 25))
			for range 5 {
				l.broker.produce(topic, 0, At(Day, 1), "{}")
				l.broker.produce(topic, 1, At(Day, 1), "{}")
			}
			l.land(t, Day)
			l.now = At(Day, 49)
			l.broker.topics[topic] = nil
			l.broker.addPartition(topic)
			l.broker.addPartition(topic)
			date := prepare(l)
			l.broker.produce(topic, 0, At(Day, 26), "{}")
			_, err := l.plan(date)
			activitytest.RequireNonRetryable(t, err, failure.TopicReplaced, "PINFLOW_USER_ID")
		})
	}
}

func boundariesOnly(b *buckettest.Memory) map[string]bucket.PutInput {
	kept := map[string]bucket.PutInput{}
	for _, key := range b.Keys("boundaries/") {
		kept[key] = b.Objects[key]
	}
	return kept
}

func TestPlan_InputThatCannotWorkIsFinal(t *testing.T) {
	l := newLandings(1, At(Day, 12))
	_, err := l.plan(Day.Add(1))
	activitytest.RequireNonRetryable(t, err, failure.InvalidInput, "has not begun", string(Day))
	_, err = l.plan("no date")
	activitytest.RequireNonRetryable(t, err, failure.InvalidInput)
	_, err = activitytest.Execute[Plan](l.PlanLanding, PlanInput{Topic: "geo", Date: Day})
	activitytest.RequireNonRetryable(t, err, failure.Missing, "u.geo", "starter setup")
}
