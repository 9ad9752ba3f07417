package landing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/pinflow/pinflow/internal/clients/kafka"
)

// noon is the time of most records.
var noon = time.Date(2022, 10, 18, 12, 0, 0, 0, time.UTC)

// readRange reads a range of a partition like landing.
func readRange(t *testing.T, reader *kafka.Reader, offset, end int64, maxBytes int) (records []kafkago.Message, fetches int) {
	t.Helper()
	ctx := deadline(t)
	for offset < end {
		more, next, err := reader.Fetch(ctx, topic, 0, offset, maxBytes)
		require.NoError(t, err)
		require.GreaterOrEqual(t, next, offset)
		records, offset = append(records, more...), next
		fetches++
	}
	return records, fetches
}

func TestFetch(t *testing.T) {
	t.Parallel()
	t.Run("reads_records_as_they_were_written", func(t *testing.T) {
		t.Parallel()
		for _, codec := range []kgo.CompressionCodec{kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression()} {
			cluster := newBroker(t, 1)
			producer := newProducer(t, cluster, kgo.ProducerBatchCompression(codec))
			want := []*kgo.Record{
				{Timestamp: noon, Key: []byte("7528"), Value: []byte(`{"index":7528}`)},
				{Timestamp: noon.Add(time.Millisecond), Key: nil, Value: []byte("no JSON")},
				{Timestamp: noon.Add(-time.Hour), Key: []byte{}, Value: []byte{}},
				{Timestamp: noon, Key: []byte("tombstone"), Value: nil},
				{Timestamp: noon, Key: []byte("large"), Value: []byte(strings.Repeat("x", 700_000))},
				{Timestamp: noon, Key: []byte("\xff\x00"), Value: []byte("\xfe"), Headers: []kgo.RecordHeader{{Key: "h", Value: []byte("v")}}},
			}
			produce(t, producer, want...)
			got, _ := readRange(t, newReader(t, cluster), 0, int64(len(want)), 4<<20)
			require.Len(t, got, len(want))
			for i := range want {
				require.EqualValues(t, i, got[i].Offset)
				require.Equal(t, want[i].Timestamp.UnixMilli(), got[i].Time.UnixMilli())
				require.Equal(t, want[i].Key, got[i].Key)
				require.Equal(t, want[i].Value, got[i].Value)
			}
		}
	})

	t.Run("continues_within_a_batch_and_from_one_to_the_next", func(t *testing.T) {
		t.Parallel()
		cluster := newBroker(t, 1)
		producer := newProducer(t, cluster, kgo.ProducerBatchCompression(kgo.NoCompression()))
		for batch := range 40 {
			var records []*kgo.Record
			for i := range 50 {
				records = append(records, record(0, noon, fmt.Sprintf("%d %s", 50*batch+i, strings.Repeat("x", 200))))
			}
			produce(t, producer, records...)
		}
		reader := newReader(t, cluster)
		for _, from := range []int64{0, 1, 49, 50, 77, 1999} {
			got, fetches := readRange(t, reader, from, 2000, 20_000)
			require.Len(t, got, 2000-int(from))
			for i, record := range got {
				require.Equal(t, from+int64(i), record.Offset)
				require.True(t, strings.HasPrefix(string(record.Value), fmt.Sprint(record.Offset)+" "))
			}
			if from == 0 {
				require.Greater(t, fetches, 10, "answers are bounded")
			}
		}
	})

	t.Run("without_records_returns_the_same_offset", func(t *testing.T) {
		t.Parallel()
		reader := newReader(t, newBroker(t, 1))
		records, next, err := reader.Fetch(deadline(t), topic, 0, 0, 1<<20)
		require.NoError(t, err)
		require.Empty(t, records)
		require.Zero(t, next)
	})

	t.Run("reports_a_missing_offset", func(t *testing.T) {
		t.Parallel()
		cluster := newBroker(t, 1)
		producer := newProducer(t, cluster)
		for range 3 {
			produce(t, producer, record(0, noon, "{}"))
		}
		deleteBefore(t, producer, 2)
		reader := newReader(t, cluster)
		for _, offset := range []int64{1, 4} {
			_, _, err := reader.Fetch(deadline(t), topic, 0, offset, 1<<20)
			require.ErrorIs(t, err, kafkago.OffsetOutOfRange)
		}
		first, err := reader.FirstOffsets(deadline(t), topic, 1)
		require.NoError(t, err)
		require.Equal(t, []int64{2}, first)
	})

	// The marker at the end of a transaction occupies an offset without a record. Records after the
	// start of an open transaction are not stable.
	t.Run("transactions_leave_gaps_and_an_open_one_ends_the_range", func(t *testing.T) {
		t.Parallel()
		cluster := newBroker(t, 1)
		reader, ctx := newReader(t, cluster), deadline(t)
		plain := newProducer(t, cluster)
		transactional := newProducer(t, cluster, kgo.TransactionalID("t"))
		produce(t, plain, record(0, noon, "a"))
		require.NoError(t, transactional.BeginTransaction())
		produce(t, transactional, record(0, noon, "b"), record(0, noon, "c"))

		stable, err := reader.StableOffsets(ctx, topic, 1)
		require.NoError(t, err)
		require.Equal(t, []int64{1}, stable)
		at, err := reader.OffsetsAt(ctx, topic, 1, noon.Add(-time.Hour))
		require.NoError(t, err)
		require.Equal(t, []int64{0}, at)

		require.NoError(t, transactional.EndTransaction(ctx, kgo.TryCommit))
		produce(t, plain, record(0, noon, "d"))
		require.NoError(t, transactional.BeginTransaction())
		produce(t, transactional, record(0, noon, "e"))
		require.NoError(t, transactional.EndTransaction(ctx, kgo.TryCommit))

		stable, err = reader.StableOffsets(ctx, topic, 1)
		require.NoError(t, err)
		require.Equal(t, []int64{7}, stable)
		for from, want := range map[int64]string{0: "0a 1b 2c 4d 5e", 3: "4d 5e", 6: ""} {
			got, _ := readRange(t, reader, from, 7, 1<<20)
			var texts []string
			for _, record := range got {
				texts = append(texts, fmt.Sprint(record.Offset)+string(record.Value))
			}
			require.Equal(t, want, strings.Join(texts, " "), "the range ends behind the last marker")
		}
	})

	t.Run("finds_the_partition_again_when_its_leader_moves", func(t *testing.T) {
		t.Parallel()
		cluster := newBroker(t, 1, kfake.NumBrokers(3))
		producer := newProducer(t, cluster)
		for range 30 {
			produce(t, producer, record(0, noon, "{}"))
		}
		reader, ctx := newReader(t, cluster), deadline(t)
		var got []int64
		for offset := int64(0); offset < 30; {
			if offset%10 == 0 {
				require.NoError(t, cluster.MoveTopicPartition(topic, 0, int32(offset/10)))
			}
			records, next, err := reader.Fetch(ctx, topic, 0, offset, 200)
			if err != nil {
				require.NoError(t, ctx.Err())
				continue // what landing does too
			}
			for _, record := range records {
				got = append(got, record.Offset)
			}
			offset = next
		}
		require.Len(t, got, 30)
		require.True(t, slices.IsSorted(got))
	})
}

// deleteBefore deletes the records of partition 0 before an offset, as retention does.
func deleteBefore(t *testing.T, client *kgo.Client, offset int64) {
	t.Helper()
	request := kmsg.NewPtrDeleteRecordsRequest()
	asked := kmsg.NewDeleteRecordsRequestTopic()
	asked.Topic = topic
	partition := kmsg.NewDeleteRecordsRequestTopicPartition()
	partition.Offset = offset
	asked.Partitions = append(asked.Partitions, partition)
	request.Topics = append(request.Topics, asked)
	for _, shard := range client.RequestSharded(deadline(t), request) {
		require.NoError(t, shard.Err)
		require.Zero(t, shard.Resp.(*kmsg.DeleteRecordsResponse).Topics[0].Partitions[0].ErrorCode)
	}
}

func TestOffsetsAt(t *testing.T) {
	t.Parallel()
	t.Run("finds_the_first_record_at_or_after_a_time", func(t *testing.T) {
		t.Parallel()
		cluster := newBroker(t, 3)
		producer := newProducer(t, cluster)
		for _, minutes := range []int{0, 10, 5, 30, 20, 40} { // out of order: offsets rule
			produce(t, producer, record(1, noon.Add(time.Duration(minutes)*time.Minute), "{}"))
		}
		produce(t, producer, record(2, noon.Add(time.Hour), "{}"))
		reader := newReader(t, cluster)
		for minutes, want := range map[int][]int64{-1: {-1, 0, 0}, 0: {-1, 0, 0}, 1: {-1, 1, 0}, 10: {-1, 1, 0}, 11: {-1, 3, 0}, 31: {-1, 5, 0}, 41: {-1, -1, 0}, 61: {-1, -1, -1}} {
			got, err := reader.OffsetsAt(deadline(t), topic, 3, noon.Add(time.Duration(minutes)*time.Minute))
			require.NoError(t, err)
			require.Equal(t, want, got, "at %d minutes", minutes)
		}
		got, err := reader.OffsetsAt(deadline(t), topic, 3, time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC))
		require.NoError(t, err)
		require.Equal(t, []int64{-1, 0, 0}, got, "Kafka gives negative times a meaning of their own")
	})
}

func TestPartitions(t *testing.T) {
	t.Parallel()
	t.Run("sees_new_topics_and_partitions_at_once", func(t *testing.T) {
		t.Parallel()
		cluster := newBroker(t, 2)
		admin := newProducer(t, cluster)
		reader, ctx := newReader(t, cluster), deadline(t)
		count, err := reader.Partitions(ctx, topic)
		require.NoError(t, err)
		require.Equal(t, 2, count)
		_, err = reader.Partitions(ctx, "u.geo")
		require.ErrorIs(t, err, kafkago.UnknownTopicOrPartition)
		require.ErrorIs(t, err, kafka.ErrUnknownTopic)

		create := kmsg.NewPtrCreateTopicsRequest()
		geo := kmsg.NewCreateTopicsRequestTopic()
		geo.Topic, geo.NumPartitions, geo.ReplicationFactor = "u.geo", 4, 1
		create.Topics = append(create.Topics, geo)
		created, err := create.RequestWith(ctx, admin)
		require.NoError(t, err)
		require.Zero(t, created.Topics[0].ErrorCode)
		count, err = reader.Partitions(ctx, "u.geo")
		require.NoError(t, err)
		require.Equal(t, 4, count)
		grow := kmsg.NewPtrCreatePartitionsRequest()
		more := kmsg.NewCreatePartitionsRequestTopic()
		more.Topic, more.Count = topic, 3
		grow.Topics = append(grow.Topics, more)
		grown, err := grow.RequestWith(ctx, admin)
		require.NoError(t, err)
		require.Zero(t, grown.Topics[0].ErrorCode)
		count, err = reader.Partitions(ctx, topic)
		require.NoError(t, err)
		require.Equal(t, 3, count)
	})
}

func TestCommitGroup(t *testing.T) {
	t.Parallel()
	t.Run("moves_forward_although_the_coordinator_moves", func(t *testing.T) {
		t.Parallel()
		cluster := newBroker(t, 2)
		reader, ctx := newReader(t, cluster), deadline(t)
		rejections := []int16{14, 15, 16, 14}
		cluster.ControlKey(int16(kmsg.OffsetCommit), func(request kmsg.Request) (kmsg.Response, error, bool) {
			if len(rejections) == 0 {
				return nil, nil, false
			}
			code := rejections[0]
			rejections = rejections[1:]
			cluster.KeepControl()
			commit := request.(*kmsg.OffsetCommitRequest)
			answer := commit.ResponseKind().(*kmsg.OffsetCommitResponse)
			for _, asked := range commit.Topics {
				topic := kmsg.NewOffsetCommitResponseTopic()
				topic.Topic, topic.TopicID = asked.Topic, asked.TopicID
				for _, partition := range asked.Partitions {
					rejected := kmsg.NewOffsetCommitResponseTopicPartition()
					rejected.Partition, rejected.ErrorCode = partition.Partition, code
					topic.Partitions = append(topic.Partitions, rejected)
				}
				answer.Topics = append(answer.Topics, topic)
			}
			return answer, nil, true
		})
		require.NoError(t, reader.CommitGroup(ctx, "pinflow-landing", topic, map[int]int64{0: 5, 1: 0}))
		require.Empty(t, rejections)
		require.NoError(t, reader.CommitGroup(ctx, "pinflow-landing", topic, map[int]int64{0: 3, 1: 7}), "a backfill of an older date")
		require.Equal(t, map[int32]int64{0: 5, 1: 7}, committed(t, newProducer(t, cluster)))
	})

	t.Run("gives_up_with_its_context", func(t *testing.T) {
		t.Parallel()
		cluster := newBroker(t, 1)
		cluster.ControlKey(int16(kmsg.OffsetCommit), func(kmsg.Request) (kmsg.Response, error, bool) {
			cluster.KeepControl()
			return nil, errors.New("connection lost"), true
		})
		ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
		defer cancel()
		require.Error(t, newReader(t, cluster).CommitGroup(ctx, "pinflow-landing", topic, map[int]int64{0: 5}))
	})
}

// committed returns the offsets of the landing group.
func committed(t *testing.T, client *kgo.Client) map[int32]int64 {
	t.Helper()
	ask := kmsg.NewPtrOffsetFetchRequest()
	group := kmsg.NewOffsetFetchRequestGroup()
	group.Group = "pinflow-landing"
	ask.Group = group.Group
	ask.Groups = append(ask.Groups, group)
	answer, err := ask.RequestWith(deadline(t), client)
	require.NoError(t, err)
	offsets := map[int32]int64{}
	for _, group := range answer.Groups {
		for _, topic := range group.Topics {
			for _, partition := range topic.Partitions {
				offsets[partition.Partition] = partition.Offset
			}
		}
	}
	return offsets
}
