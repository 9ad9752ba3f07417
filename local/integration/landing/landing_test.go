package landing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/pinflow/pinflow/activities/landing"
	"github.com/pinflow/pinflow/internal/bucket"
	"github.com/pinflow/pinflow/internal/clients/kafka"
	"github.com/pinflow/pinflow/internal/clients/s3"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/run"
)

var (
	_ landing.Kafka  = (*kafka.Reader)(nil)
	_ bucket.Objects = (*s3.Client)(nil)
)

const day = dates.Date("2022-10-18")

func execute[Out any](activity, in any) (out Out, err error) {
	suite := &testsuite.WorkflowTestSuite{}
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivity(activity)
	value, err := env.ExecuteActivity(activity, in)
	if err != nil {
		return out, err
	}
	return out, value.Get(&out)
}

func requireFinal(t *testing.T, err error, kind string, words ...string) {
	t.Helper()
	var failure *temporal.ApplicationError
	require.ErrorAs(t, err, &failure)
	require.True(t, failure.NonRetryable(), "%v", err)
	require.Equal(t, kind, failure.Type(), "%v", err)
	for _, word := range words {
		require.ErrorContains(t, err, word)
	}
}

// land lands a date like the workflow: it retries each activity until it succeeds, or fails without
// a retry.
func land(t *testing.T, landings *landing.Activities, date dates.Date) landing.ManifestSummary {
	t.Helper()
	plan := persist[landing.Plan](t, landings.PlanLanding, landing.PlanInput{Topic: "pin", Date: date})
	for _, ranges := range plan.Groups {
		persist[landing.PartitionsSummary](t, landings.LandPartitions, landing.PartitionsInput{Topic: plan.Topic, Date: date, Ranges: ranges})
	}
	return persist[landing.ManifestSummary](t, landings.WriteManifest, landing.ManifestInput{Plan: plan})
}

func persist[Out any](t *testing.T, activity, in any) Out {
	t.Helper()
	for ctx := deadline(t); ; {
		out, err := execute[Out](activity, in)
		if err == nil {
			return out
		}
		var failure *temporal.ApplicationError
		require.ErrorAs(t, err, &failure)
		require.False(t, failure.NonRetryable(), "%v", err)
		require.NoError(t, ctx.Err(), "%v", err)
	}
}

// lines returns the landed lines of a date as partition/offset/key.
func lines(t *testing.T, objects *s3.Client, date dates.Date) map[string]int {
	t.Helper()
	ctx := deadline(t)
	listed, err := objects.List(ctx, bucket.ListInput{Prefix: "topics/" + topic + "/dt=" + string(date) + "/"})
	require.NoError(t, err)
	found := map[string]int{}
	for _, object := range listed {
		body, err := objects.Get(ctx, object.Key)
		require.NoError(t, err)
		for text := range strings.Lines(string(body)) {
			var line struct {
				Topic             string
				Partition, Offset int64
				Timestamp         int64
				Key               *string
				Value             string
			}
			require.NoError(t, json.Unmarshal([]byte(text), &line), text)
			var value struct{ Index int }
			require.NoError(t, json.Unmarshal([]byte(line.Value), &value), text)
			require.Equal(t, date, dates.Of(time.UnixMilli(line.Timestamp)))
			found[fmt.Sprintf("%d/%d=%d", line.Partition, line.Offset, value.Index)]++
		}
	}
	return found
}

func TestLanding(t *testing.T) {
	// Records of three dates in three partitions are landed in any order, while Kafka cuts
	// connections and moves leaders.
	t.Run("exactly_once_through_faults_of_kafka", func(t *testing.T) {
		t.Parallel()
		cluster := newBroker(t, 3, kfake.NumBrokers(3))
		bucket := newBucket(t)
		producer := newProducer(t, cluster, kgo.ProducerBatchCompression(kgo.NoCompression()))
		want := map[dates.Date]map[string]int{}
		next := [3]int{}
		for i := range 3000 {
			at := day.Start().Add(time.Duration(i) * 72 * time.Hour / 3000)
			partition := rand.IntN(3)
			produce(t, producer, record(int32(partition), at, fmt.Sprintf(`{"index":%d,"title":%q}`, i, strings.Repeat("x", 300))))
			if want[dates.Of(at)] == nil {
				want[dates.Of(at)] = map[string]int{}
			}
			want[dates.Of(at)][fmt.Sprintf("%d/%d=%d", partition, next[partition], i)]++
			next[partition]++
		}
		var requests, cut atomic.Int64
		for _, key := range []kmsg.Key{kmsg.Fetch, kmsg.ListOffsets} {
			cluster.ControlKey(int16(key), func(kmsg.Request) (kmsg.Response, error, bool) {
				cluster.KeepControl()
				if requests.Add(1)%7 == 0 {
					cut.Add(1)
					return nil, errors.New("cut"), true // the broker closes the connection without an answer
				}
				return nil, nil, false
			})
		}
		landing := &landing.Activities{Kafka: newReader(t, cluster), Objects: bucket, Topics: run.Topics{UserID: "u"}, Group: run.DefaultDeployment.ConsumerGroup(), ObjectBytes: 40_000, ObjectRecords: 70}
		for i, date := range []dates.Date{day.Add(1), day.Add(2), day} {
			require.NoError(t, cluster.MoveTopicPartition(topic, int32(i), int32(i)))
			summary := land(t, landing, date)
			require.EqualValues(t, len(want[date]), summary.Records)
			require.Greater(t, summary.Objects, 9)
			require.Equal(t, summary, land(t, landing, date), "again")
		}
		for date := range want {
			require.Equal(t, want[date], lines(t, bucket, date))
		}
		require.Positive(t, cut.Load())
		require.Len(t, committed(t, producer), 3)
	})

	t.Run("a_missing_topic_has_a_hint", func(t *testing.T) {
		t.Parallel()
		landings := &landing.Activities{Kafka: newReader(t, newBroker(t, 1)), Objects: newBucket(t), Topics: run.Topics{UserID: "u"}, Group: run.DefaultDeployment.ConsumerGroup()}
		_, err := execute[landing.Plan](landings.PlanLanding, landing.PlanInput{Topic: "geo", Date: day})
		requireFinal(t, err, failure.Missing, "u.geo", "starter setup")
	})

	t.Run("what_retention_left_lands_and_the_rest_is_named", func(t *testing.T) {
		t.Parallel()
		cluster := newBroker(t, 1)
		producer := newProducer(t, cluster)
		for range 10 {
			produce(t, producer, record(0, noon, "{}"))
		}
		landings := &landing.Activities{Kafka: newReader(t, cluster), Objects: newBucket(t), Topics: run.Topics{UserID: "u"}, Group: run.DefaultDeployment.ConsumerGroup()}
		plan, err := execute[landing.Plan](landings.PlanLanding, landing.PlanInput{Topic: "pin", Date: day})
		require.NoError(t, err)
		deleteBefore(t, producer, 6)
		landed, err := execute[landing.PartitionsSummary](landings.LandPartitions, landing.PartitionsInput{Topic: plan.Topic, Date: day, Ranges: plan.Ranges})
		require.NoError(t, err)
		require.EqualValues(t, 4, landed.Records)
		_, err = execute[landing.ManifestSummary](landings.WriteManifest, landing.ManifestInput{Plan: plan})
		requireFinal(t, err, failure.OffsetsGone, "partition 0 offsets 0 to 5 (expired)")
		accept := &landing.Acceptance{By: "ann", Reason: "an outage"}
		accepted, err := execute[landing.ManifestSummary](landings.WriteManifest, landing.ManifestInput{Plan: plan, Accept: accept})
		require.NoError(t, err)
		require.Len(t, accepted.Remarks, 1)
		again := land(t, landings, day)
		require.Equal(t, accepted, again, "what was accepted stays so")
	})

	// The error is retried and names the system that is unreachable.
	t.Run("without_kafka_is_retried", func(t *testing.T) {
		reader := kafka.NewReader(kafka.Connection{Brokers: []string{freeAddress(t)}, ClientID: "test"})
		t.Cleanup(reader.Close)
		landings := &landing.Activities{Kafka: reader, Objects: newBucket(t), Topics: run.Topics{UserID: "u"}, Group: run.DefaultDeployment.ConsumerGroup()}
		_, err := execute[landing.Plan](landings.PlanLanding, landing.PlanInput{Topic: "pin", Date: day})
		var failure *temporal.ApplicationError
		require.ErrorAs(t, err, &failure)
		require.False(t, failure.NonRetryable())
		require.ErrorContains(t, err, "no Kafka broker answers")
	})
}

// BenchmarkLanding lands a partition over both real protocols.
func BenchmarkLanding(b *testing.B) {
	const records = 100_000
	cluster := newBroker(b, 1)
	bucket := newBucket(b)
	producer := newProducer(b, cluster)
	size := 0
	for i := range records {
		value := fmt.Sprintf(`{"index":%d,"unique_id":"fbe53c66-3442-4773-b19e-d3ec6f54dddf","title":"No Title","description":"%s","follower_count":"124k"}`,
			i, strings.Repeat("Some words of a description. ", 20))
		size += len(value)
		producer.Produce(context.Background(), record(0, noon, value), func(_ *kgo.Record, err error) { require.NoError(b, err) })
	}
	require.NoError(b, producer.Flush(deadline(b)))
	reader := newReader(b, cluster)
	b.SetBytes(int64(size))
	date := day
	for b.Loop() {
		landings := &landing.Activities{Kafka: reader, Objects: bucket, Topics: run.Topics{UserID: "u"}, Group: run.DefaultDeployment.ConsumerGroup()}
		landed, err := execute[landing.PartitionsSummary](landings.LandPartitions, landing.PartitionsInput{
			Topic: topic, Date: date, Ranges: []landing.Range{{End: records}},
		})
		require.NoError(b, err)
		require.EqualValues(b, records, landed.Records)
		date = date.Add(1) // a place of its own
	}
	b.ReportMetric(float64(b.N*records)/b.Elapsed().Seconds(), "records/s")
}
