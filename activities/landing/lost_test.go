package landing

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/activities/activitytest"
	"github.com/pinflow/pinflow/internal/failure"
)

// landAccepting lands a date and accepts what Kafka has lost of it.
func (l *landings) landAccepting(t require.TestingT, reason string) ManifestSummary {
	plan, err := l.plan(day)
	require.NoError(t, err)
	_, _ = l.landPlan(plan)
	summary, err := activitytest.Execute[ManifestSummary](l.WriteManifest, ManifestInput{Plan: plan, Accept: &Acceptance{By: "ann", Reason: reason}})
	require.NoError(t, err)
	return summary
}

func (l *landings) manifestOf(t require.TestingT) Manifest {
	var manifest Manifest
	require.NoError(t, json.Unmarshal(l.bucket.Body(manifestKey(topic, day)), &manifest))
	return manifest
}

func TestLost(t *testing.T) {
	// ten has ten records of the date in its partition, and fixed boundaries.
	ten := func(t *testing.T) *landings {
		l := newLandings(1, at(day, 25))
		l.ObjectRecords = 2
		for range 10 {
			l.broker.produce(topic, 0, at(day, 1), "{}")
		}
		_, err := l.plan(day)
		require.NoError(t, err)
		return l
	}

	t.Run("what_is_left_lands_and_the_manifest_fails", func(t *testing.T) {
		l := ten(t)
		l.broker.expire(topic, 0, 7)
		plan, err := l.plan(day)
		require.NoError(t, err)
		_, err = l.landPlan(plan)
		activitytest.RequireNonRetryable(t, err, failure.OffsetsGone, topic, string(day), "lacks 7 offsets", "partition 0 offsets 0 to 6 (expired)", "--accept-gaps", "retention.ms")
		require.Equal(t, []string{"0/7", "0/8", "0/9"}, l.offsets(t, day))
		manifest := l.manifestOf(t)
		require.EqualValues(t, 7, manifest.Lost)
		require.EqualValues(t, 3, manifest.Records)
		require.Equal(t, []Lost{{Start: 0, End: 7, Cause: Expired}}, manifest.Partitions[0].Lost)
		require.Equal(t, Object{Key: objectKey(topic, day, Object{Partition: 0, Start: 0}), End: 7, SHA256: emptySHA256, Lost: Expired}, manifest.Partitions[0].Objects[0])

		plan, err = l.plan(day)
		require.NoError(t, err)
		require.Equal(t, []Range{{Start: 10, End: 10}}, plan.Ranges, "nothing is left to land")
		_, err = l.landPlan(plan)
		activitytest.RequireNonRetryable(t, err, failure.OffsetsGone)
	})

	t.Run("an_accepted_loss_stays_accepted_and_named", func(t *testing.T) {
		l := ten(t)
		l.broker.expire(topic, 0, 7)
		summary := l.landAccepting(t, "the outage of Monday")
		require.Len(t, summary.Remarks, 1)
		require.Contains(t, summary.Remarks[0], "partition 0 offsets 0 to 6 (expired)")
		require.Contains(t, summary.Remarks[0], "ann accepted it on 2022-10-19: the outage of Monday")
		_, again := l.land(t, day)
		require.Equal(t, summary, again)
		accepted := l.manifestOf(t).Partitions[0].Lost[0].Accepted
		require.Equal(t, &Acceptance{By: "ann", Reason: "the outage of Monday", At: at(day, 25)}, accepted)
	})

	t.Run("a_further_loss_is_to_be_accepted_again", func(t *testing.T) {
		l := newLandings(1, at(day, 12))
		for range 4 {
			l.broker.produce(topic, 0, at(day, 1), "{}")
		}
		_, err := l.plan(day)
		require.NoError(t, err)
		l.broker.expire(topic, 0, 2)
		l.landAccepting(t, "first")
		l.broker.produce(topic, 0, at(day, 13), "{}")
		l.broker.expire(topic, 0, 5)
		l.now = at(day, 14)
		plan, err := l.plan(day)
		require.NoError(t, err)
		_, err = l.landPlan(plan)
		activitytest.RequireNonRetryable(t, err, failure.OffsetsGone, "offsets 4 to 4")
		lost := l.manifestOf(t).Partitions[0].Lost
		require.Equal(t, "first", lost[0].Accepted.Reason)
		require.Nil(t, lost[1].Accepted)
	})

	t.Run("a_warning_if_the_settings_say_so", func(t *testing.T) {
		l := ten(t)
		l.WarnOfGaps = true
		l.broker.expire(topic, 0, 10)
		_, summary := l.land(t, day)
		require.Zero(t, summary.Records)
		require.Len(t, summary.Remarks, 1)
		require.Contains(t, summary.Remarks[0], "lacks 10 offsets")
		require.Nil(t, l.manifestOf(t).Partitions[0].Lost[0].Accepted, "nobody has accepted it")
	})

	t.Run("the_rest_of_a_date_does_not_wait_until_it_expires_too", func(t *testing.T) {
		l := ten(t)
		plan, err := l.plan(day)
		require.NoError(t, err)
		l.broker.fetchSize = 3
		l.broker.onFetch = func(_ string, _, n int) { // retention goes on while the date lands
			if n == 2 {
				l.broker.expire(topic, 0, 6)
			}
		}
		_, err = l.landPlan(plan)
		activitytest.RequireNonRetryable(t, err, failure.OffsetsGone, "offsets 3 to 5")
		require.Equal(t, []string{"0/0", "0/1", "0/2", "0/6", "0/7", "0/8", "0/9"}, l.offsets(t, day))
	})

	// Two workers land a range, and see retention at different moments.
	t.Run("writers_agree_about_what_is_lost", func(t *testing.T) {
		for _, first := range []int64{3, 5, 10} {
			l := ten(t)
			plan, err := l.plan(day)
			require.NoError(t, err)
			raced := false
			l.bucket.FailBefore(func(request, key string) error {
				if raced || request != "put" || !strings.HasPrefix(key, "topics/") {
					return nil
				}
				raced = true // this writer has read the first records, which then expire
				l.broker.expire(topic, 0, first)
				_, err := activitytest.Execute[PartitionsSummary](l.LandPartitions, PartitionsInput{Topic: topic, Date: day, Ranges: plan.Ranges})
				return err
			})
			_, err = l.landPlan(plan)
			activitytest.RequireNonRetryable(t, err, failure.OffsetsGone)
			manifest := l.manifestOf(t)
			require.Equal(t, []Lost{{Start: 0, End: first, Cause: Expired}}, manifest.Partitions[0].Lost)
			require.EqualValues(t, 10-first, manifest.Records)
			require.EqualValues(t, 10, manifest.Partitions[0].End)
		}
	})

	t.Run("a_new_topic_whose_records_have_expired_is_warned_of", func(t *testing.T) {
		l := newLandings(2, at(day, 25))
		for range 107 {
			l.broker.produce(topic, 0, at(day, 1), "{}")
		}
		l.broker.produce(topic, 1, at(day, -1), "{}")
		l.broker.produce(topic, 1, at(day, 1), "{}")
		l.broker.expire(topic, 0, 100)
		_, summary := l.land(t, day)
		require.EqualValues(t, 8, summary.Records)
		require.Equal(t, []string{"u.pin: Kafka's retention had deleted offsets before the topic was first planned, and records of 2022-10-18 may have been among them: offsets 0 to 99 of partition 0"},
			summary.Remarks)
		require.EqualValues(t, 100, l.manifestOf(t).Partitions[0].DeletedBefore)
		require.Zero(t, l.manifestOf(t).Partitions[1].DeletedBefore)
		_, again := l.land(t, day)
		require.Equal(t, summary, again, "for good")
		l.now = at(day, 49)
		_, next := l.land(t, day.Add(1))
		require.Empty(t, next.Remarks, "its start is known")
	})

	t.Run("a_boundary_in_the_form_of_plain_offsets_is_read", func(t *testing.T) {
		l := newLandings(1, at(day, 25))
		for range 5 {
			l.broker.produce(topic, 0, at(day, 1), "{}")
		}
		l.fix(t, day.Add(-1), `{"0":2}`)
		plan, summary := l.land(t, day)
		require.Equal(t, []Range{{Start: 2, End: 5}}, plan.Ranges)
		require.Empty(t, summary.Remarks)
		l.fix(t, day.Add(-1), `{"0":-2}`)
		_, err := l.plan(day)
		activitytest.RequireNonRetryable(t, err, failure.Contradiction, "cannot decode boundary")
	})
}
