package integration

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/pinflow/pinflow/internal/clients/fault"
	"github.com/pinflow/pinflow/internal/clients/kafka"
)

// messages returns n messages with alternating keys and increasing values.
func messages(from, n, keys int) []kafka.Message {
	made := make([]kafka.Message, n)
	for i := range made {
		made[i] = kafka.Message{Partition: kafka.AnyPartition, Key: []byte("key-" + strconv.Itoa((from+i)%keys)), Value: []byte(strconv.Itoa(from + i))}
	}
	return made
}

func requireAcked(t *testing.T, acks []kafka.Ack, err error) {
	t.Helper()
	require.NoError(t, err)
	for i, ack := range acks {
		require.NoError(t, ack.Err, "record %d", i)
	}
}

func TestProduce(t *testing.T) {
	t.Parallel()
	t.Run("returns_the_offset_of_each_record", func(t *testing.T) {
		t.Parallel()
		cluster := broker(t, 3)
		producer := produces(t, cluster, kafka.ProducerConfig{})
		sent := messages(0, 500, 50)
		sent[7].Value, sent[8].Key = nil, nil
		sent[9].Key = []byte{}
		sent[10].Partition = 2
		acks, err := producer.Produce(deadline(t), topic, sent)
		requireAcked(t, acks, err)

		type place struct {
			partition int
			offset    int64
		}
		log := map[place]*kgo.Record{}
		for _, r := range readAll(t, cluster, len(sent)) {
			log[place{int(r.Partition), r.Offset}] = r
		}
		for i, ack := range acks {
			r := log[place{ack.Partition, ack.Offset}]
			require.NotNil(t, r, "record %d at %+v", i, ack)
			require.Equal(t, sent[i].Value, r.Value)
			require.Equal(t, sent[i].Key, r.Key)
		}
		require.Equal(t, 2, acks[10].Partition)
		require.Len(t, log, len(sent))
	})

	t.Run("chooses_partitions_like_kafkas_own_clients", func(t *testing.T) {
		t.Parallel()
		cluster := broker(t, 7)
		producer := produces(t, cluster, kafka.ProducerConfig{})
		sent := messages(0, 200, 200)
		acks, err := producer.Produce(deadline(t), topic, sent)
		requireAcked(t, acks, err)

		other, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil))) // murmur2, as in Java
		require.NoError(t, err)
		defer other.Close()
		for i, m := range sent {
			record, err := other.ProduceSync(deadline(t), &kgo.Record{Topic: topic, Key: m.Key, Value: m.Value}).First()
			require.NoError(t, err)
			require.Equal(t, int(record.Partition), acks[i].Partition, "key %s", m.Key)
		}
	})

	t.Run("keeps_the_order_of_a_key_from_call_to_call", func(t *testing.T) {
		t.Parallel()
		cluster := broker(t, 3)
		producer := produces(t, cluster, kafka.ProducerConfig{})
		const callers, calls, records = 8, 20, 25
		var wg sync.WaitGroup
		for caller := range callers { // each with keys of its own
			wg.Go(func() {
				for call := range calls {
					batch := messages(call*records, records, 5)
					for i := range batch {
						batch[i].Key = fmt.Appendf(nil, "%d-%s", caller, batch[i].Key)
						batch[i].Value = fmt.Appendf(nil, "%d%06d", caller+1, call*records+i)
					}
					acks, err := producer.Produce(deadline(t), topic, batch)
					if err != nil || acks[0].Err != nil {
						t.Errorf("call %d of caller %d: %v %+v", call, caller, err, acks)
						return
					}
				}
			})
		}
		wg.Wait()
		require.Equal(t, callers*calls*records, count(t, cluster), "without faults nothing is duplicated")
		requireOrdered(t, readAll(t, cluster, callers*calls*records), callers*calls*records)
	})

	t.Run("batches_records_that_arrive_during_a_request", func(t *testing.T) {
		t.Parallel()
		cluster := broker(t, 1)
		var requests atomic.Int64
		producer := produces(t, cluster, kafka.ProducerConfig{OnBatch: func(kafka.Batch) { requests.Add(1) }})
		held, release := make(chan struct{}), make(chan struct{})
		var once sync.Once
		cluster.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
			cluster.SleepControl(func() { once.Do(func() { close(held) }); <-release })
			return nil, nil, false
		})
		var wg sync.WaitGroup
		produce := func(i int) {
			wg.Go(func() {
				acks, err := producer.Produce(deadline(t), topic, messages(i, 1, 1))
				if err != nil || acks[0].Err != nil {
					t.Errorf("produce %d: %v %+v", i, err, acks)
				}
			})
		}
		produce(0)
		<-held
		const joined = 200
		for i := range joined {
			produce(i + 1)
		}
		require.Eventually(t, func() bool { return producer.Queued() == joined }, patience, time.Millisecond)
		close(release)
		wg.Wait()
		require.EqualValues(t, 2, requests.Load(), "one for the first record and one for all the others")
		require.Equal(t, joined+1, count(t, cluster))
	})

	t.Run("a_rejected_record_does_not_affect_others", func(t *testing.T) {
		t.Parallel()
		cluster := broker(t, 1)
		producer := produces(t, cluster, kafka.ProducerConfig{})
		poison := []byte("poison")
		cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.InvalidRecord, Count: -1, When: func(r kmsg.Request) bool {
			return bytes.Contains(r.(*kmsg.ProduceRequest).Topics[0].Partitions[0].Records, poison)
		}})
		sent := messages(0, 100, 1)
		sent[42].Value = poison
		acks, err := producer.Produce(deadline(t), topic, sent)
		require.NoError(t, err)
		for i, ack := range acks {
			if i == 42 {
				require.Equal(t, fault.Invalid, fault.KindOf(kafka.Classify(ack.Err)))
				continue
			}
			require.NoError(t, ack.Err, "record %d", i)
		}
		require.Equal(t, 99, count(t, cluster))
	})

	t.Run("accepts_the_largest_record_and_rejects_a_larger_one", func(t *testing.T) {
		t.Parallel()
		cluster := broker(t, 1)
		producer := produces(t, cluster, kafka.ProducerConfig{})
		key := []byte("k")
		acks, err := producer.Produce(deadline(t), topic, []kafka.Message{
			{Partition: kafka.AnyPartition, Key: key, Value: []byte(strings.Repeat("x", kafka.MaxMessageBytes-1))},
			{Partition: kafka.AnyPartition, Key: key, Value: []byte(strings.Repeat("x", kafka.MaxMessageBytes))},
			{Partition: kafka.AnyPartition, Key: key, Value: []byte("small")},
		})
		require.NoError(t, err)
		require.NoError(t, acks[0].Err)
		require.ErrorIs(t, acks[1].Err, kafka.ErrTooLarge)
		require.NoError(t, acks[2].Err)
		require.EqualValues(t, 1, acks[2].Offset)
	})
}

// requireOrdered checks that within each key the first copies of the values count up, and that no
// value is missing.
func requireOrdered(t *testing.T, records []*kgo.Record, n int) {
	t.Helper()
	seen := map[string]bool{}
	last := map[string]int{}
	for _, r := range records {
		if seen[string(r.Value)] {
			continue // at least once
		}
		seen[string(r.Value)] = true
		value, err := strconv.Atoi(string(r.Value))
		require.NoError(t, err)
		if before, ok := last[string(r.Key)]; ok {
			require.Greater(t, value, before, "key %s", r.Key)
		}
		last[string(r.Key)] = value
	}
	require.Len(t, seen, n)
}

func TestCreateTopics(t *testing.T) {
	t.Parallel()
	t.Run("is_idempotent", func(t *testing.T) {
		t.Parallel()
		cluster := broker(t, 1)
		admin := kafka.NewAdmin(kafka.Connection{Brokers: cluster.ListenAddrs()})
		want := []kafka.Topic{
			{Name: topic, Partitions: 3, Config: kafka.LogAppendTime},
			{Name: "pinflow.geo", Partitions: 3, Config: kafka.LogAppendTime},
		}
		created, err := admin.CreateTopics(deadline(t), want...)
		require.NoError(t, err)
		require.Equal(t, []string{"pinflow.geo"}, created)
		created, err = admin.CreateTopics(deadline(t), want...)
		require.NoError(t, err)
		require.Empty(t, created)

		topics, err := admin.ListTopics(deadline(t))
		require.NoError(t, err)
		require.Equal(t, []kafka.TopicInfo{{Name: "pinflow.geo", Partitions: 3}, {Name: topic, Partitions: 1}}, topics)
		require.Equal(t, "LogAppendTime", *cluster.TopicInfo("pinflow.geo").Configs["message.timestamp.type"])
		require.Nil(t, cluster.TopicInfo(topic).Configs["message.timestamp.type"], "a topic that exists is not changed unasked")

		cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.CreateTopics}, Topic: "pinflow.user", Err: kerr.PolicyViolation})
		created, err = admin.CreateTopics(deadline(t), kafka.Topic{Name: "pinflow.user", Partitions: 1}, kafka.Topic{Name: "pinflow.other", Partitions: 1})
		require.ErrorContains(t, err, "create topic pinflow.user")
		require.Equal(t, []string{"pinflow.other"}, created)
		cluster.Close()
		require.ErrorIs(t, admin.Ping(deadline(t)), kafka.ErrUnreachable)
	})
}

func TestCompareTopics(t *testing.T) {
	t.Parallel()
	t.Run("finds_differences_and_changes_what_can_be_changed", func(t *testing.T) {
		t.Parallel()
		cluster := broker(t, 1)
		admin := kafka.NewAdmin(kafka.Connection{Brokers: cluster.ListenAddrs()})
		wanted := map[string]string{"message.timestamp.type": "LogAppendTime", "retention.ms": "1209600000"}
		want := []kafka.Topic{{Name: topic, Partitions: 3, Replication: 2, Config: wanted}, {Name: "pinflow.geo", Partitions: 3, Config: wanted}}
		missing, different, err := admin.CompareTopics(deadline(t), want...)
		require.NoError(t, err)
		require.Equal(t, []string{"pinflow.geo"}, missing)
		kept := []kafka.Difference{
			{Topic: topic, Setting: "partitions", Have: "1", Want: "3", Kept: true},
			{Topic: topic, Setting: "replication factor", Have: "1", Want: "2", Kept: true},
		}
		require.Equal(t, append(slices.Clone(kept),
			kafka.Difference{Topic: topic, Setting: "message.timestamp.type", Have: "CreateTime", Want: "LogAppendTime"},
			kafka.Difference{Topic: topic, Setting: "retention.ms", Have: "604800000", Want: "1209600000"},
		), different)

		require.NoError(t, admin.ChangeTopics(deadline(t), different...))
		_, err = admin.CreateTopics(deadline(t), want...)
		require.NoError(t, err)
		missing, different, err = admin.CompareTopics(deadline(t), want...)
		require.NoError(t, err)
		require.Empty(t, missing)
		require.Equal(t, kept, different)
	})
}
