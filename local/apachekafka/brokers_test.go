//go:build conformance

package apachekafka

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/pinflow/pinflow/activities/landing"
	"github.com/pinflow/pinflow/internal/bucket/buckettest"
	"github.com/pinflow/pinflow/internal/clients/kafka"
	"github.com/pinflow/pinflow/internal/config"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/run"
)

// described returns what a broker knows of the partitions of a topic now.
func described(t testing.TB, client *kgo.Client, topic string) []kmsg.MetadataResponseTopicPartition {
	t.Helper()
	request := kmsg.NewPtrMetadataRequest()
	one := kmsg.NewMetadataRequestTopic()
	one.Topic = &topic
	request.Topics = append(request.Topics, one)
	answer, err := request.RequestWith(deadline(t), client)
	if err != nil || len(answer.Topics) != 1 {
		return nil
	}
	return answer.Topics[0].Partitions
}

// leader returns the broker that leads a partition.
func (c *Cluster) leader(t testing.TB, client *kgo.Client, topic string, partition int32) (id int) {
	t.Helper()
	require.Eventually(t, func() bool {
		for _, one := range described(t, client, topic) {
			if one.Partition == partition && one.Leader >= 0 {
				id = int(one.Leader)
				return true
			}
		}
		return false
	}, patience, 20*time.Millisecond)
	return id
}

// Three brokers, each partition on all of them. The leader of a partition is killed while records are
// produced, and another while they land.
func TestThreeBrokers(t *testing.T) {
	const topic, records, perCall = "u.pin", 120_000, 400
	cluster := Start(t, 3)
	admin := kafka.NewAdmin(connect(t, cluster.Settings(config.Plaintext, "")))
	created, err := admin.CreateTopics(deadline(t), kafka.Topic{Name: topic, Partitions: 3, Replication: 3, Config: kafka.LogAppendTime})
	require.NoError(t, err)
	require.Equal(t, []string{topic}, created)
	other := cluster.other(t, topic)

	producer, err := kafka.NewProducer(kafka.ProducerConfig{Connection: connect(t, cluster.Settings(config.Plaintext, ""))})
	require.NoError(t, err)
	padding := strings.Repeat("x", 200)
	acknowledged := map[string]int{} // by partition/offset
	lost := cluster.leader(t, other, topic, 0)
	for at := 0; at < records; at += perCall {
		if at == records/3 {
			cluster.Kill(t, lost)
		}
		messages := make([]kafka.Message, perCall)
		for i := range messages {
			messages[i] = kafka.Message{Partition: (at + i) % 3, Value: fmt.Appendf(nil, `{"index":%d,"title":%q}`, at+i, padding)}
		}
		acks, err := producer.Produce(deadline(t), topic, messages)
		require.NoError(t, err)
		for i, ack := range acks {
			require.NoError(t, ack.Err, "a killed leader is no reason to lose a record")
			acknowledged[fmt.Sprintf("%d/%d", ack.Partition, ack.Offset)] = at + i
		}
	}
	require.NoError(t, producer.Close(deadline(t)))
	require.Len(t, acknowledged, records)
	cluster.StartBroker(t, lost)
	cluster.waitReady(t, 3)
	cluster.waitInSync(t, other, topic)

	reader := kafka.NewReader(connect(t, cluster.Settings(config.Plaintext, "")))
	t.Cleanup(reader.Close)
	objects := buckettest.New()
	landings := &landing.Activities{Kafka: reader, Objects: objects, Topics: run.Topics{UserID: "u"}, Group: "pinflow-landing", ObjectRecords: 5_000}
	date := dates.Of(time.Now())
	landed := make(chan int64, 1)
	go func() { landed <- land(t, landings, topic, date) }()
	require.Eventually(t, func() bool { return len(objects.Keys("topics/")) > 2 }, patience, time.Millisecond)
	second := cluster.leader(t, other, topic, 1)
	cluster.Kill(t, second)
	killedAt := len(objects.Keys("topics/"))
	total := <-landed
	require.Less(t, killedAt, len(objects.Keys("topics/")), "the broker was killed while records landed")
	t.Logf("broker %d killed after %d of %d objects", second, killedAt, len(objects.Keys("topics/")))

	seen := map[string]int{}
	for _, key := range objects.Keys("topics/" + topic + "/") {
		body, err := objects.Get(context.Background(), key)
		require.NoError(t, err)
		for text := range strings.Lines(string(body)) {
			var line struct {
				Partition, Offset int64
				Value             string
			}
			require.NoError(t, json.Unmarshal([]byte(text), &line))
			var value struct{ Index int }
			require.NoError(t, json.Unmarshal([]byte(line.Value), &value))
			place := fmt.Sprintf("%d/%d", line.Partition, line.Offset)
			_, again := seen[place]
			require.False(t, again, "%s landed twice", place)
			seen[place] = value.Index
		}
	}
	require.EqualValues(t, len(seen), total)
	for place, index := range acknowledged {
		landed, ok := seen[place]
		require.True(t, ok && landed == index, "%s was acknowledged", place)
	}
	require.EqualValues(t, records, total, "a produce whose answer was lost with its broker is written once")
}

// waitInSync waits until all replicas of the topic are in sync: a second kill before that would leave
// too few.
func (c *Cluster) waitInSync(t testing.TB, client *kgo.Client, topic string) {
	t.Helper()
	require.Eventually(t, func() bool {
		partitions := described(t, client, topic)
		for _, partition := range partitions {
			if len(partition.ISR) < 3 || partition.Leader < 0 {
				return false
			}
		}
		return len(partitions) == 3
	}, patience, 100*time.Millisecond)
}

// land lands a date like the workflow: it retries each activity until it succeeds.
func land(t testing.TB, landings *landing.Activities, topic string, date dates.Date) int64 {
	plan := persist[landing.Plan](t, landings.PlanLanding, landing.PlanInput{Topic: strings.TrimPrefix(topic, "u."), Date: date})
	for _, ranges := range plan.Groups {
		persist[landing.PartitionsSummary](t, landings.LandPartitions, landing.PartitionsInput{Topic: plan.Topic, Date: date, Ranges: ranges})
	}
	return persist[landing.ManifestSummary](t, landings.WriteManifest, landing.ManifestInput{Plan: plan}).Records
}

// try runs an activity once.
func try[Out any](activity, in any) (out Out, err error) {
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

func persist[Out any](t testing.TB, activity, in any) (out Out) {
	for ctx := deadline(t); ; {
		out, err := try[Out](activity, in)
		if err == nil {
			return out
		}
		var failure *temporal.ApplicationError
		if ctx.Err() != nil || !errors.As(err, &failure) || failure.NonRetryable() {
			t.Errorf("%v", err)
			return out
		}
	}
}

// The gateway's health check asks this. With one of three brokers a quorum is lost, and the broker that
// is left goes on with the metadata that it has.
func TestReadiness(t *testing.T) {
	const topic = "u.pin"
	cluster := Start(t, 3)
	admin := kafka.NewAdmin(connect(t, cluster.Settings(config.Plaintext, "")))
	for name, inSync := range map[string]string{topic: "2", "v.pin": "1"} {
		settings := map[string]string{"min.insync.replicas": inSync}
		_, err := admin.CreateTopics(deadline(t), kafka.Topic{Name: name, Partitions: 3, Replication: 3, Config: settings})
		require.NoError(t, err)
	}
	producer, err := kafka.NewProducer(kafka.ProducerConfig{Connection: connect(t, cluster.Settings(config.Plaintext, "")), DeliveryTimeout: 5 * time.Second})
	require.NoError(t, err)
	defer func() { require.NoError(t, producer.Close(deadline(t))) }()
	produce := func() (errs []error) {
		for partition := range 3 {
			acks, err := producer.Produce(deadline(t), topic, []kafka.Message{{Partition: partition, Value: []byte("{}")}})
			require.NoError(t, err)
			errs = append(errs, acks[0].Err)
		}
		return errs
	}
	ready := func() error { return producer.Ready(deadline(t), func(name string) bool { return name == topic }) }
	require.Eventually(t, func() bool { return ready() == nil }, patience, 100*time.Millisecond)

	cluster.Kill(t, 0)
	for began := time.Now(); time.Since(began) < 20*time.Second; time.Sleep(time.Second) {
		require.NoError(t, ready(), "the two that are left take over")
	}
	for partition, err := range produce() {
		require.NoError(t, err, "partition %d", partition)
	}

	cluster.Kill(t, 1)
	require.Eventually(t, func() bool { return ready() != nil }, 10*time.Second, 100*time.Millisecond)
	t.Log(ready())
	for partition, err := range produce() {
		require.Error(t, err, "partition %d", partition)
	}
	// One replica would be enough, but no controller takes the others out of the in-sync replicas.
	other, err := kafka.NewProducer(kafka.ProducerConfig{Connection: connect(t, cluster.Settings(config.Plaintext, ""))})
	require.NoError(t, err)
	defer func() { require.NoError(t, other.Close(deadline(t))) }()
	require.Eventually(t, func() bool {
		return other.Ready(deadline(t), func(name string) bool { return name == "v.pin" }) != nil
	}, patience, time.Second)

	cluster.StartBroker(t, 0)
	cluster.StartBroker(t, 1)
	require.Eventually(t, func() bool { return ready() == nil }, patience, 100*time.Millisecond)
	require.Eventually(t, func() bool { return produce()[0] == nil }, patience, 100*time.Millisecond)
}
