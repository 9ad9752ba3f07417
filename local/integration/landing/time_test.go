package landing

import (
	"fmt"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	local "github.com/pinflow/pinflow/local/kafka"
)

// newAppendTimeBroker starts a cluster whose topic has LogAppendTime.
func newAppendTimeBroker(t testing.TB) *kfake.Cluster {
	t.Helper()
	cluster, err := local.NewCluster(kfake.NumBrokers(1))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	require.NoError(t, cluster.CreateTopic(topic, 1, map[string]string{"message.timestamp.type": "LogAppendTime"}))
	return cluster
}

// The clocks of producers are off by hours. With LogAppendTime, the time of a record is the broker's.
func TestTimeOfRecords(t *testing.T) {
	t.Parallel()
	for name, codec := range map[string]kgo.CompressionCodec{"plain": kgo.NoCompression(), "compressed": kgo.ZstdCompression()} {
		t.Run("is_the_brokers_with_log_append_time/"+name, func(t *testing.T) {
			t.Parallel()
			cluster := newAppendTimeBroker(t)
			producer := newProducer(t, cluster, kgo.ProducerBatchCompression(codec), kgo.DisableIdempotentWrite())
			before := time.Now().Truncate(time.Millisecond)
			for _, skew := range []time.Duration{-30 * 24 * time.Hour, 2 * time.Hour, 0} {
				produce(t, producer, record(0, before.Add(skew), "{}"), record(0, before.Add(skew+time.Minute), "{}"))
			}
			after := time.Now()
			reader := newReader(t, cluster)
			got, _ := readRange(t, reader, 0, 6, 1<<20)
			require.Len(t, got, 6)
			for i, one := range got {
				require.WithinRange(t, one.Time, before, after, "record %d", i)
				if i > 0 {
					require.False(t, one.Time.Before(got[i-1].Time), "the broker's clock does not go back")
				}
			}
			// The offsets at a time agree with the times of the records.
			for at, want := range map[time.Time]int64{before: 0, after.Add(time.Millisecond): -1, before.Add(-24 * time.Hour): 0} {
				offsets, err := reader.OffsetsAt(deadline(t), topic, 1, at)
				require.NoError(t, err)
				require.Equal(t, []int64{want}, offsets)
			}
			require.Equal(t, before.Add(-30*24*time.Hour).UnixMilli(), naiveTime(t, cluster),
				"the embedded Kafka keeps the producer's time in the header of the batch, as a broker does")
		})
	}

	t.Run("is_the_producers_without", func(t *testing.T) {
		t.Parallel()
		cluster := newBroker(t, 1)
		produce(t, newProducer(t, cluster), record(0, noon, "{}"))
		got, _ := readRange(t, newReader(t, cluster), 0, 1, 1<<20)
		require.Equal(t, noon.UnixMilli(), got[0].Time.UnixMilli())
	})
}

// naiveTime returns the time of the first record as kafka-go's own client sees it, which does not look
// at the type of the time.
func naiveTime(t *testing.T, cluster *kfake.Cluster) int64 {
	client := &kafkago.Client{Addr: kafkago.TCP(cluster.ListenAddrs()...), Transport: &kafkago.Transport{}}
	answer, err := client.Fetch(deadline(t), &kafkago.FetchRequest{Topic: topic, MinBytes: 1, MaxBytes: 1 << 20, MaxWait: time.Second})
	require.NoError(t, err)
	first, err := answer.Records.ReadRecord()
	require.NoError(t, err)
	return first.Time.UnixMilli()
}

// A batch that aborts is not read, whatever the objects and fetches it is spread over.
func TestAbortedTransactions(t *testing.T) {
	t.Parallel()
	t.Run("are_not_read_from_any_offset", func(t *testing.T) {
		t.Parallel()
		cluster := newBroker(t, 1)
		one := newProducer(t, cluster, kgo.TransactionalID("one"))
		two := newProducer(t, cluster, kgo.TransactionalID("two"))
		plain := newProducer(t, cluster)
		require.NoError(t, one.BeginTransaction())
		require.NoError(t, two.BeginTransaction())
		produce(t, one, record(0, noon, "0 aborted"), record(0, noon, "1 aborted"))
		produce(t, two, record(0, noon, "2"))
		produce(t, plain, record(0, noon, "3"))
		produce(t, one, record(0, noon, "4 aborted"))
		require.NoError(t, one.EndTransaction(deadline(t), kgo.TryAbort)) // the marker is 5
		produce(t, two, record(0, noon, "6"))
		require.NoError(t, two.EndTransaction(deadline(t), kgo.TryCommit)) // 7
		require.NoError(t, one.BeginTransaction())
		produce(t, one, record(0, noon, "8"))
		require.NoError(t, one.EndTransaction(deadline(t), kgo.TryCommit)) // 9
		require.NoError(t, one.BeginTransaction())
		produce(t, one, record(0, noon, "10 open"))

		reader := newReader(t, cluster)
		stable, err := reader.StableOffsets(deadline(t), topic, 1)
		require.NoError(t, err)
		require.Equal(t, []int64{10}, stable)
		committed := []string{"2", "3", "6", "8"}
		for from := range int64(10) {
			for _, maxBytes := range []int{1, 200, 1 << 20} {
				got, _ := readRange(t, reader, from, 10, maxBytes)
				var want, values []string
				for _, value := range committed {
					if value >= fmt.Sprint(from) {
						want = append(want, value)
					}
				}
				for _, one := range got {
					values = append(values, string(one.Value))
				}
				require.Equal(t, want, values, "from %d, %d bytes", from, maxBytes)
			}
		}
		require.NoError(t, one.EndTransaction(deadline(t), kgo.TryAbort))
	})
}
