package landing

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/activities/activitytest"
	"github.com/pinflow/pinflow/internal/bucket"
	"github.com/pinflow/pinflow/internal/bucket/buckettest"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/failure"
)

func TestPlan(t *testing.T) {
	t.Run("date_ends_at_the_first_record_of_the_next", func(t *testing.T) {
		l := newLandings(2, at(day, 25))
		l.broker.produce(topic, 0, at(day, -1), "{}")
		l.broker.produce(topic, 0, at(day, 0), "{}")
		l.broker.produce(topic, 0, at(day, 23.9), "{}")
		l.broker.produce(topic, 0, at(day, 24), "{}")
		l.broker.produce(topic, 0, at(day, 23), "{}") // late: behind the boundary, it belongs to the next date
		l.broker.produce(topic, 1, at(day, 1), "{}")
		plan, err := l.plan(day)
		require.NoError(t, err)
		ranges := []Range{{Partition: 0, Start: 1, End: 3}, {Partition: 1, Start: 0, End: 1}}
		require.Equal(t, Plan{Topic: topic, Date: day, Until: day.End(), Ranges: ranges, Groups: [][]Range{ranges}}, plan)
		require.Equal(t, []string{"boundaries/u.pin/2022-10-17.json", "boundaries/u.pin/2022-10-18.json"}, l.bucket.Keys("boundaries/"))
		body, err := l.bucket.Get(context.Background(), "boundaries/u.pin/2022-10-18.json")
		require.NoError(t, err)
		require.JSONEq(t, `{"0":{"offset":3,"record":{"offset":2,"timestamp":1666137240000,"crc32c":"db444a45"}},
			"1":{"offset":1,"record":{"offset":0,"timestamp":1666054800000,"crc32c":"db444a45"}}}`, string(body))
	})

	t.Run("a_boundary_is_fixed_once", func(t *testing.T) {
		l := newLandings(1, at(day, 25))
		l.broker.produce(topic, 0, at(day, 1), "{}")
		first, err := l.plan(day)
		require.NoError(t, err)
		l.broker.produce(topic, 0, at(day, 2), "{}") // arrives after the boundary was fixed at the end of the topic
		l.now = at(day, 100)
		second, err := l.plan(day)
		require.NoError(t, err)
		require.Equal(t, first, second)
		next, err := l.plan(day.Add(1))
		require.NoError(t, err)
		require.Equal(t, []Range{{Partition: 0, Start: 1, End: 2}}, next.Ranges, "the late record is the next date's")
	})

	t.Run("loser_of_the_race_reads_the_winners_boundary", func(t *testing.T) {
		l := newLandings(1, at(day, 25))
		l.broker.produce(topic, 0, at(day, 1), "{}")
		key := boundaryKey(topic, day)
		l.bucket.FailBefore(func(request, at string) error {
			if request == "put" && at == key {
				l.bucket.FailBefore(nil)
				return l.bucket.Put(context.Background(), bucket.PutInput{Key: key, Body: []byte(`{"0":0}`)}) // another worker writes first
			}
			return nil
		})
		plan, err := l.plan(day)
		require.NoError(t, err)
		require.Equal(t, []Range{{Partition: 0, Start: 0, End: 0}}, plan.Ranges)
	})

	// If no record ends a date, its boundary is the current end of the topic. Two workers must not
	// fix two dates in that way at once.
	t.Run("boundaries_that_race_do_not_cross", func(t *testing.T) {
		l := newLandings(1, at(day, 25))
		l.broker.produce(topic, 0, at(day, -100), "{}")
		l.bucket.FailBefore(func(request, key string) error {
			if request != "put" || key != boundaryKey(topic, day.Add(-3)) {
				return nil
			}
			l.bucket.FailBefore(nil)
			l.broker.produce(topic, 0, at(day, -100), "{}")
			l.broker.produce(topic, 0, at(day, -36), "{}")
			_, err := l.plan(day.Add(-4)) // another planner, while the boundary is computed but not written
			return err
		})
		_, err := l.plan(day.Add(-2))
		require.NoError(t, err)
		l.requireBoundariesInOrder(t)
	})

	t.Run("older_boundaries_do_not_cross_newer_ones", func(t *testing.T) {
		l := newLandings(1, at(day, 25))
		l.broker.produce(topic, 0, at(day, -60), "{}")
		_, err := l.plan(day) // fixes 17 and 18 at offset 1, the end: nothing is as new
		require.NoError(t, err)
		l.broker.produce(topic, 0, at(day, -70), "{}") // late
		l.broker.produce(topic, 0, at(day, 26), "{}")
		l.now = at(day, 50)
		for _, date := range []dates.Date{day.Add(-1), day.Add(-2), day.Add(-3), day.Add(1)} {
			_, err := l.plan(date)
			require.NoError(t, err, date)
		}
		l.requireBoundariesInOrder(t)
		next, err := l.plan(day.Add(1))
		require.NoError(t, err)
		require.Equal(t, []Range{{Partition: 0, Start: 1, End: 3}}, next.Ranges)
	})

	t.Run("record_from_the_far_future_does_not_end_a_date", func(t *testing.T) {
		l := newLandings(1, at(day, 25))
		l.broker.produce(topic, 0, at(day, 1), "{}")
		l.broker.produce(topic, 0, at(day, 24*3650), "{}") // a clock ten years fast
		l.broker.produce(topic, 0, at(day, 2), "{}")
		plan, err := l.plan(day)
		require.NoError(t, err)
		require.Equal(t, []Range{{Partition: 0, Start: 0, End: 3}}, plan.Ranges)
	})

	// The run of another DAG may land the same topic while this one plans.
	t.Run("a_partial_date_accepts_objects_that_another_run_lands_meanwhile", func(t *testing.T) {
		l := newLandings(1, at(day, 12))
		l.broker.produce(topic, 0, at(day, 1), `{"index":1}`)
		stamp := at(day, 2)
		l.bucket.FailBefore(func(request, at string) error {
			if request == "list" && at == datePrefix(topic, day) {
				l.bucket.FailBefore(nil)
				l.broker.produce(topic, 0, stamp, `{"index":2}`)
				l.land(t, day)
			}
			return nil
		})
		plan, err := l.plan(day)
		require.NoError(t, err)
		require.Equal(t, []Range{{Partition: 0, Start: 2, End: 2}}, plan.Ranges)
		_, err = l.landPlan(plan)
		require.NoError(t, err)
		require.Equal(t, []string{"0/0", "0/1"}, l.offsets(t, day))
	})

	t.Run("a_partial_date_continues_after_its_objects", func(t *testing.T) {
		l := newLandings(1, at(day, 12))
		l.broker.produce(topic, 0, at(day, 1), `{"index":1}`)
		l.broker.produce(topic, 0, at(day, 2), `{"index":2}`)
		plan, summary := l.land(t, day)
		require.True(t, plan.Partial)
		require.Equal(t, at(day, 12), plan.Until)
		require.Equal(t, []Range{{Partition: 0, Start: 0, End: 2}}, plan.Ranges)
		require.EqualValues(t, 2, summary.Records)

		l.broker.produce(topic, 0, at(day, 13), `{"index":3}`)
		l.now = at(day, 14)
		plan, summary = l.land(t, day)
		require.Equal(t, []Range{{Partition: 0, Start: 2, End: 3}}, plan.Ranges)
		require.EqualValues(t, 3, summary.Records, "the manifest is of the whole date")

		l.broker.produce(topic, 0, at(day, 23), `{"index":4}`)
		l.broker.produce(topic, 0, at(day, 24), `{"index":5}`)
		l.now = at(day, 25)
		plan, summary = l.land(t, day)
		require.False(t, plan.Partial)
		require.Equal(t, []Range{{Partition: 0, Start: 3, End: 4}}, plan.Ranges)
		require.EqualValues(t, 4, summary.Records)
		require.Equal(t, []string{"0/0", "0/1", "0/2", "0/3"}, l.offsets(t, day))

		plan, again := l.land(t, day)
		require.Equal(t, []Range{{Partition: 0, Start: 4, End: 4}}, plan.Ranges)
		require.Equal(t, summary, again)
	})

	// A producer with a fast clock gives a record the time of tomorrow. The boundary will assign it
	// to tomorrow, so that today must not land it.
	t.Run("partial_date_stops_before_a_record_of_a_later_date", func(t *testing.T) {
		l := newLandings(1, at(day, 23.9))
		l.broker.produce(topic, 0, at(day, 23), "{}")
		l.broker.produce(topic, 0, at(day, 24.1), "{}")
		l.broker.produce(topic, 0, at(day, 23.5), "{}")
		l.land(t, day)
		l.now = at(day, 49)
		l.land(t, day)
		l.land(t, day.Add(1))
		require.Equal(t, []string{"0/0"}, l.offsets(t, day))
		require.Equal(t, []string{"0/1", "0/2"}, l.offsets(t, day.Add(1)))
	})

	t.Run("new_partition_starts_at_its_first_offset", func(t *testing.T) {
		l := newLandings(1, at(day, 25))
		l.broker.produce(topic, 0, at(day, 1), "{}")
		l.land(t, day)
		l.broker.addPartition(topic)
		l.broker.produce(topic, 1, at(day, 26), "{}")
		l.broker.produce(topic, 0, at(day, 27), "{}")
		l.now = at(day, 49)
		plan, _ := l.land(t, day.Add(1))
		require.Equal(t, []Range{{Partition: 0, Start: 1, End: 2}, {Partition: 1, Start: 0, End: 1}}, plan.Ranges)
		plan, _ = l.land(t, day)
		require.Equal(t, []Range{{Partition: 0, Start: 1, End: 1}, {Partition: 1, Start: 0, End: 0}}, plan.Ranges, "the date's boundary does not know the partition: none of it is the date's")
	})

	t.Run("deleted_by_retention", func(t *testing.T) {
		t.Run("landed before: nothing is left to do", func(t *testing.T) {
			l := newLandings(1, at(day, 25))
			l.broker.produce(topic, 0, at(day, 1), "{}")
			l.broker.produce(topic, 0, at(day, 2), "{}")
			_, summary := l.land(t, day)
			l.broker.expire(topic, 0, 2)
			plan, again := l.land(t, day)
			require.Equal(t, []Range{{Partition: 0, Start: 2, End: 2}}, plan.Ranges)
			require.Equal(t, summary, again)
		})
		t.Run("not landed: the plan names the offsets", func(t *testing.T) {
			l := newLandings(2, at(day, 25))
			for range 10 {
				l.broker.produce(topic, 1, at(day, 1), "{}")
			}
			_, err := l.plan(day) // fixes the boundaries
			require.NoError(t, err)
			l.broker.expire(topic, 1, 7)
			plan, err := l.plan(day)
			require.NoError(t, err)
			require.Equal(t, []Lost{{Start: 0, End: 7, Cause: Expired}}, plan.Ranges[1].Lost)
			l.broker.expire(topic, 1, 20)
			plan, err = l.plan(day)
			require.NoError(t, err)
			require.Equal(t, []Lost{{Start: 0, End: 10, Cause: Expired}}, plan.Ranges[1].Lost, "only those of the date")
			require.EqualValues(t, 10, plan.Lost())
		})
		t.Run("landed in part: the plan names the rest", func(t *testing.T) {
			l := newLandings(1, at(day, 12))
			l.broker.produce(topic, 0, at(day, 1), "{}")
			l.land(t, day)
			l.broker.produce(topic, 0, at(day, 13), "{}")
			l.broker.produce(topic, 0, at(day, 13), "{}")
			l.broker.expire(topic, 0, 2)
			plan, err := l.plan(day)
			require.NoError(t, err)
			require.Equal(t, []Lost{{Start: 1, End: 2, Cause: Expired}}, plan.Ranges[0].Lost)
		})
		t.Run("before the first planned date: nothing is missing", func(t *testing.T) {
			l := newLandings(1, at(day, 25))
			for hour := range 30 {
				l.broker.produce(topic, 0, at(day, float64(hour-10)), "{}")
			}
			l.broker.expire(topic, 0, 5)
			plan, err := l.plan(day)
			require.NoError(t, err)
			require.Equal(t, []Range{{Partition: 0, Start: 10, End: 30}}, plan.Ranges)
		})
	})

	t.Run("a_replaced_topic_is_not_landed", func(t *testing.T) {
		tests := map[string]func(l *landings) dates.Date{
			"later date":            func(*landings) dates.Date { return day.Add(1) },
			"fewer partitions":      func(l *landings) dates.Date { l.broker.topics[topic] = l.broker.topics[topic][:1]; return day.Add(1) },
			"same date, incomplete": func(l *landings) dates.Date { deleteAllButBoundaries(l.bucket); return day },
			"partial date":          func(l *landings) dates.Date { l.now = at(day, 30); return day.Add(1) },
		}
		for name, prepare := range tests {
			t.Run(name, func(t *testing.T) {
				l := newLandings(2, at(day, 25))
				for range 5 {
					l.broker.produce(topic, 0, at(day, 1), "{}")
					l.broker.produce(topic, 1, at(day, 1), "{}")
				}
				l.land(t, day)
				l.now = at(day, 49)
				l.broker.topics[topic] = nil
				l.broker.addPartition(topic)
				l.broker.addPartition(topic)
				date := prepare(l)
				l.broker.produce(topic, 0, at(day, 26), "{}")
				_, err := l.plan(date)
				activitytest.RequireNonRetryable(t, err, failure.TopicReplaced, "accept-gaps")
			})
		}
	})

	t.Run("invalid_input_is_final", func(t *testing.T) {
		l := newLandings(1, at(day, 12))
		_, err := l.plan(day.Add(1))
		activitytest.RequireNonRetryable(t, err, failure.InvalidInput, "has not begun", string(day))
		_, err = l.plan("no date")
		activitytest.RequireNonRetryable(t, err, failure.InvalidInput)
		_, err = activitytest.Execute[Plan](l.PlanLanding, PlanInput{Topic: "geo", Date: day})
		activitytest.RequireNonRetryable(t, err, failure.Missing, "u.geo", "starter setup")
	})
}

func (l *landings) requireBoundariesInOrder(t *testing.T) {
	before := int64(0)
	for _, key := range l.bucket.Keys("boundaries/") {
		fixed := boundary{}
		require.NoError(t, json.Unmarshal(l.bucket.Body(key), &fixed))
		require.GreaterOrEqual(t, fixed.at(0), before, key)
		before = fixed.at(0)
	}
}

func deleteAllButBoundaries(b *buckettest.Memory) {
	for _, key := range b.Keys("") {
		if !strings.HasPrefix(key, "boundaries/") {
			b.Delete(key)
		}
	}
}
