package landing

import (
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// compacted is a batch as compaction leaves it: it covers the offsets [first, last], and has
// records at some of them only. kfake shortens such a batch to its records; Kafka keeps its length.
type compacted struct {
	first, last int64
	offsets     []int64
}

func (c compacted) encode() []byte {
	var records []byte
	for _, offset := range c.offsets {
		record := kmsg.NewRecord()
		record.OffsetDelta, record.Key, record.Value = int32(offset-c.first), []byte("k"), fmt.Append(nil, offset)
		record.Length = int32(len(record.AppendTo(nil)) - 1) // the length itself takes one byte while it is 0
		records = record.AppendTo(records)
	}
	batch := kmsg.RecordBatch{
		FirstOffset: c.first, Magic: 2, LastOffsetDelta: int32(c.last - c.first), FirstTimestamp: noon.UnixMilli(), MaxTimestamp: noon.UnixMilli(),
		ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1, NumRecords: int32(len(c.offsets)), Records: records,
	}
	encoded := batch.AppendTo(nil)
	batch.Length = int32(len(encoded) - 12)
	batch.CRC = int32(crc32.Checksum(encoded[21:], crc32.MakeTable(crc32.Castagnoli)))
	return batch.AppendTo(nil)
}

// serve makes the cluster answer fetches from those batches, as a broker does: from the batch with
// the offset on, at most perAnswer batches, because an answer ends with its segment.
func serve(cluster *kfake.Cluster, batches []compacted, perAnswer int) (requests *atomic.Int64) {
	requests = &atomic.Int64{}
	end := batches[len(batches)-1].last + 1
	cluster.ControlKey(int16(kmsg.Fetch), func(request kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		requests.Add(1)
		fetch := request.(*kmsg.FetchRequest)
		answer := fetch.ResponseKind().(*kmsg.FetchResponse)
		asked, offset := fetch.Topics[0], fetch.Topics[0].Partitions[0].FetchOffset
		partition := kmsg.NewFetchResponseTopicPartition()
		partition.HighWatermark, partition.LastStableOffset = end, end
		if offset > end {
			partition.ErrorCode = 1 // OFFSET_OUT_OF_RANGE
		}
		left := perAnswer
		for _, batch := range batches {
			if batch.last >= offset && left > 0 {
				partition.RecordBatches = append(partition.RecordBatches, batch.encode()...)
				left--
			}
		}
		topic := kmsg.NewFetchResponseTopic()
		topic.Topic, topic.TopicID = asked.Topic, asked.TopicID
		topic.Partitions = append(topic.Partitions, partition)
		answer.Topics = append(answer.Topics, topic)
		return answer, nil, true
	})
	return requests
}

func TestFetchAcrossCompaction(t *testing.T) {
	t.Parallel()
	const gap = 1_000_000
	for name, c := range map[string]struct {
		batches []compacted
		most    int64 // requests
	}{
		"end of a batch":         {[]compacted{{0, gap - 1, []int64{0, 1, 2}}, {gap, gap + 1, []int64{gap, gap + 1}}}, 50},
		"end of the topic":       {[]compacted{{0, gap - 1, []int64{0, 1, 2}}}, 50},
		"batch without a record": {[]compacted{{0, gap - 1, nil}, {gap, gap, []int64{gap}}}, 50},
		"several":                {[]compacted{{0, 9, nil}, {10, 999, []int64{10}}, {1000, 1009, nil}, {1010, 1010, []int64{1010}}}, 50},
		"between two batches":    {[]compacted{{0, 1, []int64{0}}, {gap, gap, []int64{gap}}}, 4},
	} {
		for _, perAnswer := range []int{1, 2, 10} {
			t.Run(fmt.Sprintf("%s/%d", name, perAnswer), func(t *testing.T) {
				t.Parallel()
				readCompacted(t, c.batches, perAnswer, c.most)
			})
		}
	}

	t.Run("any_batches", func(t *testing.T) {
		t.Parallel()
		for seed := range uint64(30) {
			draw := rand.New(rand.NewPCG(seed, 100))
			var batches []compacted
			next := int64(0)
			for range 1 + draw.IntN(12) {
				next += draw.Int64N(3) * draw.Int64N(2000) // a batch that is gone
				batch := compacted{first: next, last: next + draw.Int64N(3000)}
				for offset := batch.first; offset <= batch.last; offset += 1 + draw.Int64N(3000) {
					batch.offsets = append(batch.offsets, offset)
				}
				if draw.IntN(4) == 0 {
					batch.offsets = nil
				}
				batches, next = append(batches, batch), batch.last+1
			}
			readCompacted(t, batches, 1+draw.IntN(3), int64(26*len(batches)))
		}
	})
}

// readCompacted reads the batches from any of their offsets on, and counts the requests.
func readCompacted(t *testing.T, batches []compacted, perAnswer int, most int64) {
	t.Helper()
	cluster := newBroker(t, 1)
	requests := serve(cluster, batches, perAnswer)
	reader := newReader(t, cluster)
	var want []int64
	for _, batch := range batches {
		want = append(want, batch.offsets...)
	}
	got, _ := readRange(t, reader, 0, batches[len(batches)-1].last+1, 1<<20)
	var offsets []int64
	for _, record := range got {
		offsets = append(offsets, record.Offset)
		require.Equal(t, fmt.Sprint(record.Offset), string(record.Value))
	}
	require.Equal(t, want, offsets)
	require.LessOrEqual(t, requests.Load(), most)
}
