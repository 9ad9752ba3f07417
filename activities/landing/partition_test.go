package landing

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"

	"github.com/pinflow/pinflow/activities/activitytest"
	"github.com/pinflow/pinflow/internal/bucket"
	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/run"
)

func TestLand(t *testing.T) {
	t.Run("retention_deletes_offsets_meanwhile", func(t *testing.T) {
		l := newLandings(1, at(day, 25))
		for range 10 {
			l.broker.produce(topic, 0, at(day, 1), "{}")
		}
		plan, err := l.plan(day)
		require.NoError(t, err)
		l.broker.expire(topic, 0, 4)
		_, err = l.landPlan(plan)
		activitytest.RequireNonRetryable(t, err, failure.OffsetsGone, "partition 0 offsets 0 to 3")
	})

	t.Run("an_empty_topic_has_empty_objects", func(t *testing.T) {
		l := newLandings(2, at(day, 25))
		_, summary := l.land(t, day)
		require.Equal(t, []string{
			"topics/u.pin/dt=2022-10-18/partition=0/u.pin+0+empty.json",
			"topics/u.pin/dt=2022-10-18/partition=1/u.pin+1+empty.json",
		}, l.bucket.Keys("topics/"))
		require.Equal(t, ManifestSummary{URI: "s3://bucket/manifests/u.pin/2022-10-18.json", Objects: 2}, summary)
		for _, key := range l.bucket.Keys("topics/") {
			require.Empty(t, l.bucket.Body(key))
		}
	})

	// The first records of a date that was empty before start at an offset whose name the empty
	// object does not use.
	t.Run("an_empty_object_does_not_block_later_records", func(t *testing.T) {
		l := newLandings(1, at(day, 12))
		l.land(t, day)
		l.broker.produce(topic, 0, at(day, 13), "{}")
		l.now = at(day, 14)
		_, summary := l.land(t, day)
		require.Equal(t, []string{
			"topics/u.pin/dt=2022-10-18/partition=0/u.pin+0+0000000000.json",
			"topics/u.pin/dt=2022-10-18/partition=0/u.pin+0+empty.json",
		}, l.bucket.Keys("topics/"))
		require.EqualValues(t, 1, summary.Records)
		l.land(t, day)
		require.Len(t, l.bucket.Keys("topics/"), 2)
	})

	t.Run("no_empty_object_where_the_date_has_another", func(t *testing.T) {
		l := newLandings(1, at(day, 12))
		l.broker.produce(topic, 0, at(day, 1), "{}")
		l.land(t, day)
		l.land(t, day)
		require.Equal(t, []string{"topics/u.pin/dt=2022-10-18/partition=0/u.pin+0+0000000000.json"}, l.bucket.Keys("topics/"))
	})

	t.Run("objects_have_limits", func(t *testing.T) {
		for _, test := range []struct {
			name           string
			bytes, records int
			want           []string
		}{
			{"by records", 0, 4, []string{"0000000000", "0000000004", "0000000008"}},
			{"by bytes", 330, 0, []string{"0000000000", "0000000003", "0000000006", "0000000009"}},
			{"a record larger than the bound lands alone", 10, 0, []string{
				"0000000000", "0000000001", "0000000002", "0000000003", "0000000004", "0000000005", "0000000006", "0000000007", "0000000008", "0000000009"}},
		} {
			t.Run(test.name, func(t *testing.T) {
				l := newLandings(1, at(day, 25))
				l.ObjectBytes, l.ObjectRecords = test.bytes, test.records
				l.broker.fetchSize = 3
				for i := range 10 {
					l.broker.produce(topic, 0, at(day, 1), fmt.Sprintf(`{"index":%d}`, i))
				}
				_, summary := l.land(t, day)
				var starts []string
				for _, key := range l.bucket.Keys("topics/") {
					starts = append(starts, strings.TrimSuffix(key[strings.LastIndexByte(key, '+')+1:], ".json"))
					if test.bytes > 10 {
						require.LessOrEqual(t, len(l.bucket.Body(key)), test.bytes)
					}
				}
				require.Equal(t, test.want, starts)
				require.EqualValues(t, 10, summary.Records)
				require.Equal(t, len(test.want), summary.Objects)
				require.Len(t, l.offsets(t, day), 10)
			})
		}
	})

	t.Run("metadata_has_the_offsets", func(t *testing.T) {
		l := newLandings(1, at(day, 25))
		l.fix(t, day.Add(-1), `{"0":0}`)
		l.broker.skip(topic, 0, 2)
		l.broker.produce(topic, 0, at(day, 1), "{}")
		l.broker.skip(topic, 0, 3)
		_, summary := l.land(t, day)
		key := "topics/u.pin/dt=2022-10-18/partition=0/u.pin+0+0000000000.json"
		object, err := l.bucket.Head(t.Context(), key)
		require.NoError(t, err)
		require.Equal(t, map[string]string{"start-offset": "0", "end-offset": "6", "records": "1", "sha256": checksum(l.bucket.Body(key)), "last-record": "5 -62135596800000 576f0efc"}, object.Metadata)
		require.EqualValues(t, 1, summary.Records)
		require.Equal(t, object.Size, summary.Bytes)
	})

	t.Run("offsets_without_records_are_covered_too", func(t *testing.T) {
		l := newLandings(1, at(day, 25))
		l.fix(t, day.Add(-1), `{"0":0}`)
		l.broker.skip(topic, 0, 4)
		plan, summary := l.land(t, day)
		require.Equal(t, []Range{{Partition: 0, Start: 0, End: 4}}, plan.Ranges)
		require.Equal(t, 1, summary.Objects)
		plan, _ = l.land(t, day)
		require.Equal(t, []Range{{Partition: 0, Start: 4, End: 4}}, plan.Ranges)
	})

	t.Run("a_retry_continues_after_the_existing_objects", func(t *testing.T) {
		l := newLandings(1, at(day, 25))
		l.ObjectRecords, l.broker.fetchSize = 2, 2
		for range 7 {
			l.broker.produce(topic, 0, at(day, 1), "{}")
		}
		plan, err := l.plan(day)
		require.NoError(t, err)
		l.bucket.FailBefore(func(request, key string) error {
			if request == "put" && strings.HasSuffix(key, "+0000000004.json") {
				return errors.New("connection reset")
			}
			return nil
		})
		_, err = l.landPlan(plan)
		activitytest.RequireRetryable(t, err, "connection reset")
		l.bucket.FailBefore(nil)
		l.broker.fetched = nil
		landed, err := activitytest.Execute[PartitionsSummary](l.LandPartitions, PartitionsInput{Topic: topic, Date: day, Ranges: plan.Ranges[:1]})
		require.NoError(t, err)
		require.EqualValues(t, 4, l.broker.fetched[0], "what has landed is not read again")
		require.Equal(t, 4, landed.Objects)
		require.EqualValues(t, 7, landed.Records)
		require.Len(t, l.offsets(t, day), 7)
	})

	// The answer to a PUT is lost although the object was written: the next attempt finds its own
	// object.
	t.Run("a_lost_answer_of_a_put_duplicates_nothing", func(t *testing.T) {
		l := newLandings(1, at(day, 25))
		l.ObjectRecords = 2
		for range 5 {
			l.broker.produce(topic, 0, at(day, 1), "{}")
		}
		plan, err := l.plan(day)
		require.NoError(t, err)
		l.bucket.FailAfter(func(_, key string) error {
			if strings.HasSuffix(key, "+0000000002.json") {
				l.bucket.FailAfter(nil)
				return errors.New("timeout")
			}
			return nil
		})
		_, err = l.landPlan(plan)
		activitytest.RequireRetryable(t, err, "timeout")
		_, summary := l.land(t, day)
		require.EqualValues(t, 5, summary.Records)
		require.Len(t, l.offsets(t, day), 5)
	})

	// Two writers split the range differently: each continues after the objects of the other.
	t.Run("continues_after_the_objects_of_another_writer", func(t *testing.T) {
		for _, other := range []int{1, 2, 5, 10} {
			t.Run(strconv.Itoa(other), func(t *testing.T) {
				l := newLandings(1, at(day, 25))
				l.ObjectRecords = 3
				for range 10 {
					l.broker.produce(topic, 0, at(day, 1), "{}")
				}
				plan, err := l.plan(day)
				require.NoError(t, err)
				raced := false
				l.bucket.FailBefore(func(request, _ string) error {
					if request != "put" || raced {
						return nil
					}
					raced = true
					rival := &Activities{Kafka: l.broker, Objects: l.bucket, Topics: run.Topics{UserID: "u"}, ObjectRecords: other, clock: l.clock}
					_, err := activitytest.Execute[PartitionsSummary](rival.LandPartitions, PartitionsInput{Topic: topic, Date: day, Ranges: []Range{{Partition: 0, Start: 0, End: min(10, int64(2*other))}}})
					return err
				})
				summary, err := l.landPlan(plan)
				require.NoError(t, err)
				require.EqualValues(t, 10, summary.Records)
				require.Len(t, l.offsets(t, day), 10)
			})
		}
	})

	t.Run("metadata_that_is_missing_is_final", func(t *testing.T) {
		l := newLandings(1, at(day, 25))
		l.broker.produce(topic, 0, at(day, 1), "{}")
		l.land(t, day)
		key := l.bucket.Keys("topics/")[0]
		require.NoError(t, l.bucket.Put(t.Context(), bucket.PutInput{Key: key, Body: []byte("{}\n")}))
		_, err := l.plan(day)
		activitytest.RequireNonRetryable(t, err, failure.Contradiction, "metadata", "s3://bucket/"+key)
	})

	t.Run("a_gap_or_a_foreign_object_is_final", func(t *testing.T) {
		l := newLandings(1, at(day, 25))
		l.ObjectRecords = 1
		for range 3 {
			l.broker.produce(topic, 0, at(day, 1), "{}")
		}
		plan, _ := l.land(t, day)
		l.bucket.Delete(objectKey(topic, day, Object{Start: 1}))
		_, err := l.plan(day)
		activitytest.RequireNonRetryable(t, err, failure.Contradiction, "starts at offset 2", "end at 1")
		_, err = activitytest.Execute[ManifestSummary](l.WriteManifest, ManifestInput{Plan: plan})
		activitytest.RequireNonRetryable(t, err, failure.Contradiction)
		require.NoError(t, l.bucket.Put(context.Background(), bucket.PutInput{Key: datePrefix(topic, day) + "partition=0/notes.txt"}))
		_, err = l.plan(day)
		activitytest.RequireNonRetryable(t, err, failure.Contradiction, "notes.txt")
	})

	t.Run("passing_faults_of_kafka_are_retried", func(t *testing.T) {
		l := newLandings(1, at(day, 25))
		for range 4 {
			l.broker.produce(topic, 0, at(day, 1), "{}")
		}
		plan, err := l.plan(day)
		require.NoError(t, err)
		faults := []error{kafkago.NotLeaderForPartition, errors.New("connection reset"), kafkago.LeaderNotAvailable}
		l.broker.fault = func(request, _ string) error {
			if request == "fetch" && len(faults) > 0 {
				err := faults[0]
				faults = faults[1:]
				return err
			}
			return nil
		}
		_, err = l.landPlan(plan)
		require.NoError(t, err)
		require.Len(t, l.offsets(t, day), 4)

		deleteAllButBoundaries(l.bucket)
		l.broker.fault = func(string, string) error { return errors.New("no route to host") }
		l.broker.fetched = nil
		_, err = l.landPlan(plan)
		activitytest.RequireRetryable(t, err, "no route to host")
		require.Len(t, l.broker.fetched, kafkaAttempts)
	})

	t.Run("rejections_are_final", func(t *testing.T) {
		l := newLandings(1, at(day, 25))
		l.broker.produce(topic, 0, at(day, 1), "{}")
		plan, err := l.plan(day)
		require.NoError(t, err)
		l.broker.fault = func(string, string) error { return kafkago.TopicAuthorizationFailed }
		l.broker.fetched = nil
		_, err = l.landPlan(plan)
		activitytest.RequireNonRetryable(t, err, failure.AccessDenied, "check the ACLs")
		require.Len(t, l.broker.fetched, 1)
	})

	t.Run("heartbeats_with_the_number_of_offsets_that_have_landed", func(t *testing.T) {
		l := newLandings(1, at(day, 25))
		l.broker.fetchSize = 2
		for range 6 {
			l.broker.produce(topic, 0, at(day, 1), "{}")
		}
		plan, err := l.plan(day)
		require.NoError(t, err)
		_, err = activitytest.Execute[PartitionsSummary](l.LandPartitions, PartitionsInput{Topic: topic, Date: day, Ranges: []Range{{Partition: 0, Start: 0, End: 4}}})
		require.NoError(t, err)
		env := activitytest.NewEnvironment()
		var beats []int64
		env.SetOnActivityHeartbeatListener(func(_ *activity.Info, details converter.EncodedValues) {
			var done int64
			require.NoError(t, details.Get(&done))
			beats = append(beats, done)
		})
		_, err = activitytest.ExecuteIn[PartitionsSummary](env, l.LandPartitions, PartitionsInput{Topic: topic, Date: day, Ranges: plan.Ranges[:1]})
		require.NoError(t, err)
		require.NotEmpty(t, beats)
		require.EqualValues(t, 4, beats[0], "the SDK sends the first at once and later ones from time to time")
	})
}
