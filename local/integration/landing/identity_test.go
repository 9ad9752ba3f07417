package landing

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pinflow/pinflow/activities/landing"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/run"
	local "github.com/pinflow/pinflow/local/kafka"
)

func TestRecordAt(t *testing.T) {
	t.Parallel()
	cluster := newAppendTimeBroker(t)
	plain, transactional := newProducer(t, cluster), newProducer(t, cluster, kgo.TransactionalID("one"))
	produce(t, plain, record(0, noon, "a"), record(0, noon, "b"), record(0, noon, "c"))
	require.NoError(t, transactional.BeginTransaction())
	produce(t, transactional, record(0, noon, "d"))
	require.NoError(t, transactional.EndTransaction(deadline(t), kgo.TryAbort))
	reader := newReader(t, cluster)
	landed, _ := readRange(t, reader, 0, 3, 1<<20)
	for i, want := range []string{"a", "b", "c", "d"} {
		got, found, err := reader.RecordAt(deadline(t), topic, 0, int64(i))
		require.NoError(t, err)
		require.True(t, found)
		require.Equal(t, want, string(got.Value))
		if i < 3 {
			require.Equal(t, landed[i].Time, got.Time, "the same time as that of a fetch")
		}
	}
	_, found, err := reader.RecordAt(deadline(t), topic, 0, 4)
	require.NoError(t, err)
	require.True(t, found, "the marker of the transaction")
	deleteBefore(t, plain, 2)
	for _, gone := range []int64{0, 1, 5, 100} {
		_, found, err := reader.RecordAt(deadline(t), topic, 0, gone)
		require.NoError(t, err)
		require.False(t, found, gone)
	}
}

// The topic is deleted and created again, and has more records than before.
func TestTopicCreatedAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	start := func() *kfake.Cluster {
		cluster, err := local.NewCluster(kfake.NumBrokers(1), kfake.DataDir(dir))
		require.NoError(t, err)
		t.Cleanup(cluster.Close)
		return cluster
	}
	create := func(cluster *kfake.Cluster) {
		require.NoError(t, cluster.CreateTopic(topic, 1, map[string]string{"message.timestamp.type": "LogAppendTime"}))
	}
	cluster := start()
	create(cluster)
	producer := newProducer(t, cluster)
	for range 5 {
		produce(t, producer, record(0, noon, `{"log":"old"}`))
	}
	objects := newBucket(t)
	landings := &landing.Activities{Kafka: newReader(t, cluster), Objects: objects, Topics: run.Topics{UserID: "u"}, Group: run.DefaultDeployment.ConsumerGroup(), WarnOfGaps: true}
	require.EqualValues(t, 0, land(t, landings, day).Records, "the records are of today")
	before := land(t, landings, today())
	require.EqualValues(t, 5, before.Records)

	producer.Close()
	cluster.Close()
	cluster = start()
	landings.Kafka = newReader(t, cluster)
	require.Equal(t, before, land(t, landings, today()), "after a restart it is the same log")

	require.NoError(t, cluster.DeleteTopic(topic))
	create(cluster)
	producer = newProducer(t, cluster)
	for range 15 {
		produce(t, producer, record(0, noon, `{"log":"new"}`))
	}
	landings.Kafka = newReader(t, cluster)
	_, err := execute[landing.Plan](landings.PlanLanding, landing.PlanInput{Topic: "pin", Date: today()})
	requireFinal(t, err, failure.TopicReplaced, "partition 0 has at offset 4 another record", "--accept-gaps")

	accept := landing.PlanInput{Topic: "pin", Date: today(), Accept: &landing.Acceptance{By: "ann", Reason: "created again"}}
	plan, err := execute[landing.Plan](landings.PlanLanding, accept)
	require.NoError(t, err)
	require.Equal(t, []landing.Range{{Start: 5, End: 5}, {Generation: 1, End: 15}}, plan.Ranges)
	after := land(t, landings, today())
	require.EqualValues(t, 20, after.Records, "the five of before, and all of the new log")
	require.Len(t, after.Remarks, 1)
}

func today() dates.Date { return dates.Of(time.Now()) }
