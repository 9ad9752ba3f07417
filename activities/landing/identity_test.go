package landing

import (
	"fmt"
	"strings"
	"testing"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/activities/activitytest"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/failure"
)

// planAccepting plans a date, and goes on with whatever logs the topic has.
func (l *landings) planAccepting(date dates.Date) (Plan, error) {
	in := PlanInput{Topic: "pin", Date: date, Accept: &Acceptance{By: "ann", Reason: "created again"}}
	return activitytest.ExecuteIn[Plan](activitytest.EnvironmentAt(l.now), l.PlanLanding, in)
}

// produceMany produces numbered records, so that no two are equal.
func (l *landings) produceMany(date dates.Date, hour float64, partition int, name string, count int) {
	for i := range count {
		l.broker.produce(topic, partition, at(date, hour), fmt.Sprintf(`{"%s":%d}`, name, i))
	}
}

// values returns the values of the landed lines of a date.
func (l *landings) values(t require.TestingT, date dates.Date) (all []string) {
	for _, key := range l.bucket.Keys(datePrefix(topic, date)) {
		for line := range strings.Lines(string(l.bucket.Body(key))) {
			_, value, ok := strings.Cut(line, `"value":"`)
			require.True(t, ok, line)
			all = append(all, strings.ReplaceAll(strings.TrimSuffix(value, "\"}\n"), `\"`, `"`))
		}
	}
	return all
}

func numbered(name string, from, to int) (all []string) {
	for i := from; i < to; i++ {
		all = append(all, fmt.Sprintf(`{"%s":%d}`, name, i))
	}
	return all
}

func TestIdentity(t *testing.T) {
	// landed has landed five records of the day, of one partition.
	landed := func(t *testing.T) *landings {
		l := newLandings(1, at(day, 25))
		l.WarnOfGaps = true
		l.produceMany(day, 1, 0, "old", 5)
		l.land(t, day)
		l.now = at(day, 49)
		return l
	}
	next := day.Add(1)

	t.Run("a_topic_that_was_created_again_and_has_grown_is_not_landed", func(t *testing.T) {
		l := landed(t)
		l.broker.replace(topic, 1)
		l.produceMany(next, 2, 0, "new", 15)
		_, err := l.plan(next)
		activitytest.RequireNonRetryable(t, err, failure.TopicReplaced, "partition 0 has at offset 4 another record (of 2022-10-19T02:00:00.000Z, before: of 2022-10-18T01:00:00.000Z)",
			"deleted and created again", "starter rerun 2022-10-19 --failed --accept-gaps --reason")
		require.Empty(t, l.bucket.Keys("boundaries/u.pin/2022-10-19"), "nothing is fixed by the new log")
		plan, err := l.plan(day)
		require.NoError(t, err, "nothing is left to land of a date that has landed")
		require.Equal(t, []Range{{Start: 5, End: 5}}, plan.Ranges)
	})

	t.Run("the_new_log_lands_from_its_start_once_that_is_accepted", func(t *testing.T) {
		l := landed(t)
		before := l.bucket.Keys("topics/")
		l.broker.replace(topic, 1)
		l.produceMany(next, 2, 0, "new", 15)
		plan, err := l.planAccepting(next)
		require.NoError(t, err)
		require.Equal(t, []Range{{Start: 5, End: 5}, {Generation: 1, Start: 0, End: 15}}, plan.Ranges)
		summary, err := l.landPlan(plan)
		require.NoError(t, err)
		require.EqualValues(t, 15, summary.Records)
		require.Equal(t, []string{"u.pin: partition 0 has had a new log since offset 5, and records of the old one that had not landed are lost (ann accepted it on 2022-10-20: created again)"},
			summary.Remarks)
		require.Equal(t, numbered("new", 0, 15), l.values(t, next))
		require.Equal(t, numbered("old", 0, 5), l.values(t, day))
		require.Subset(t, l.bucket.Keys("topics/"), before)
		require.Equal(t, []string{"topics/u.pin/dt=2022-10-19/partition=0/u.pin+0+0000000000+g1.json"}, l.bucket.Keys(datePrefix(topic, next)))

		_, again := l.land(t, next)
		require.Equal(t, summary, again, "without accepting it again")
		l.now = at(day, 73)
		l.produceMany(next.Add(1), 2, 0, "newer", 2)
		plan, _ = l.land(t, next.Add(1))
		require.Equal(t, []Range{{Generation: 1, Start: 15, End: 17}}, plan.Ranges)
	})

	t.Run("a_partial_date_of_a_new_topic_notices_it_by_its_objects", func(t *testing.T) {
		l := newLandings(1, at(day, 12))
		l.produceMany(day, 1, 0, "old", 5)
		l.land(t, day) // the date starts at offset 0: its boundary knows no record
		l.broker.replace(topic, 1)
		l.produceMany(day, 2, 0, "new", 15)
		l.now = at(day, 25)
		_, err := l.plan(day)
		activitytest.RequireNonRetryable(t, err, failure.TopicReplaced, "offset 4")
		require.Len(t, l.bucket.Keys("boundaries/"), 1, "nothing is fixed by the new log")
		_, err = l.plan(day.Add(1))
		activitytest.RequireNonRetryable(t, err, failure.TopicReplaced, "offset 4")
		plan, err := l.planAccepting(day)
		require.NoError(t, err)
		require.Equal(t, []Range{{Start: 5, End: 5}, {Generation: 1, End: 15}}, plan.Ranges)
		_, err = l.landPlan(plan)
		require.NoError(t, err)
		require.ElementsMatch(t, append(numbered("old", 0, 5), numbered("new", 0, 15)...), l.values(t, day))
	})

	t.Run("what_an_unclean_election_left_is_not_landed_twice", func(t *testing.T) {
		l := newLandings(1, at(day, 25))
		l.ObjectRecords, l.WarnOfGaps = 4, true
		l.produceMany(day, 1, 0, "old", 10)
		l.land(t, day)
		l.now = at(day, 49)
		l.broker.truncate(topic, 0, 6)
		l.produceMany(next, 2, 0, "new", 9) // offsets 6 to 14
		_, err := l.plan(next)
		activitytest.RequireNonRetryable(t, err, failure.TopicReplaced, "unclean leader election", "offset 9")
		plan, err := l.planAccepting(next)
		require.NoError(t, err)
		require.Equal(t, []Range{{Start: 10, End: 10}, {Generation: 1, Start: 6, End: 15}}, plan.Ranges)
		_, err = l.landPlan(plan)
		require.NoError(t, err)
		require.Equal(t, numbered("new", 0, 9), l.values(t, next))
		require.Equal(t, numbered("old", 0, 10), l.values(t, day))
	})

	t.Run("a_log_whose_record_is_gone_is_landed", func(t *testing.T) {
		for name, remove := range map[string]func(l *landings){
			"retention":  func(l *landings) { l.broker.expire(topic, 0, 5) },
			"compaction": func(l *landings) { log := l.broker.topics[topic][0]; log.records = log.records[5:] },
			"plain form": func(l *landings) {
				l.fix(t, day, `{"0":5}`)
				l.broker.replace(topic, 1)
				l.produceMany(next, 2, 0, "new", 6)
			},
		} {
			t.Run(name, func(t *testing.T) {
				l := landed(t)
				l.produceMany(next, 2, 0, "next", 1)
				remove(l)
				plan, err := l.plan(next)
				require.NoError(t, err)
				require.Equal(t, []Range{{Start: 5, End: 6}}, plan.Ranges)
			})
		}
	})

	t.Run("only_the_partitions_with_another_log_begin_again", func(t *testing.T) {
		l := newLandings(2, at(day, 25))
		l.produceMany(day, 1, 0, "a", 5)
		l.produceMany(day, 1, 1, "b", 5)
		l.land(t, day)
		l.now = at(day, 49)
		l.broker.truncate(topic, 1, 3)
		l.produceMany(next, 2, 0, "c", 1)
		plan, err := l.planAccepting(next)
		require.NoError(t, err)
		require.Equal(t, []Range{{Start: 5, End: 6}, {Partition: 1, Start: 5, End: 5}, {Partition: 1, Generation: 1, Start: 3, End: 3}}, plan.Ranges)
		require.Len(t, l.bucket.Keys("generations/"), 1)
	})

	t.Run("dates_of_the_old_log_lose_what_had_not_landed", func(t *testing.T) {
		l := landed(t)
		l.produceMany(next, 2, 0, "unlanded", 3)
		_, err := l.plan(next)
		require.NoError(t, err) // fixes the boundary
		l.broker.replace(topic, 1)
		l.produceMany(next, 3, 0, "new", 4)
		_, err = l.plan(next)
		activitytest.RequireNonRetryable(t, err, failure.TopicReplaced)
		plan, err := l.planAccepting(next)
		require.NoError(t, err)
		require.Equal(t, []Range{{Start: 5, End: 8, Lost: []Lost{{Start: 5, End: 8, Cause: Replaced}}}}, plan.Ranges)
		summary, err := l.landPlan(plan)
		require.NoError(t, err)
		require.Contains(t, summary.Remarks[0], "lacks 3 offsets")
		l.now = at(day, 73)
		l.land(t, next.Add(1))
		require.Equal(t, numbered("new", 0, 4), l.values(t, next.Add(1)), "the next date has the new log")
	})

	t.Run("two_planners_begin_one_generation", func(t *testing.T) {
		l := landed(t)
		l.broker.replace(topic, 1)
		l.produceMany(next, 2, 0, "new", 15)
		raced := false
		l.bucket.FailBefore(func(request, key string) error {
			if request != "put" || raced || !strings.HasPrefix(key, "generations/") {
				return nil
			}
			raced = true
			_, err := l.planAccepting(next)
			return err
		})
		plan, err := l.planAccepting(next)
		require.NoError(t, err)
		require.Equal(t, 1, plan.Ranges[1].Generation)
		require.Len(t, l.bucket.Keys("generations/"), 1)
	})

	t.Run("fingerprints_tell_records_apart", func(t *testing.T) {
		record := kafkago.Message{Offset: 7, Time: at(day, 1), Key: []byte("k"), Value: []byte("v")}
		known := fingerprint(record)
		require.Equal(t, &known, parseFingerprint(known.metadata()))
		require.Nil(t, parseFingerprint(""))
		for _, change := range []func(r *kafkago.Message){
			func(r *kafkago.Message) { r.Value = []byte("w") },
			func(r *kafkago.Message) { r.Key = nil },
			func(r *kafkago.Message) { r.Key, r.Value = []byte("kv"), nil },
			func(r *kafkago.Message) { r.Key, r.Value = nil, []byte("kv") },
			func(r *kafkago.Message) { r.Time = at(day, 2) },
		} {
			other := record
			change(&other)
			require.NotEqual(t, known, fingerprint(other))
		}
	})
}
