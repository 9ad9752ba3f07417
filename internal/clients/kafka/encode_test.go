package kafka

import (
	"bytes"
	"testing"
	"time"

	"github.com/segmentio/kafka-go/protocol"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// kafka-go's decoder and the reader's read what was encoded.
func TestEncodeBatch(t *testing.T) {
	t.Parallel()
	bytesOrNil := rapid.OneOf(rapid.Just([]byte(nil)), rapid.SliceOf(rapid.Byte()), rapid.SliceOfN(rapid.Byte(), 60, 200))
	rapid.Check(t, func(r *rapid.T) {
		var entries []*entry
		for range rapid.IntRange(1, 200).Draw(r, "records") {
			entries = append(entries, &entry{message: &Message{Key: bytesOrNil.Draw(r, "key"), Value: bytesOrNil.Draw(r, "value")}})
		}
		now := time.UnixMilli(rapid.Int64Range(0, 1<<42).Draw(r, "now"))
		from := identity{producer: rapid.Int64Min(-1).Draw(r, "producer"), epoch: 3, sequence: rapid.Int32Min(-1).Draw(r, "sequence")}
		request := encodeBatch(from, now, entries)
		first, rest, err := cutBatch(request[sizeLength:])
		require.NoError(r, err)
		require.Empty(r, rest)
		place := 0
		require.NoError(r, first.each(func(one record) {
			require.Equal(r, record{offset: int64(place), at: now, key: entries[place].message.Key, value: entries[place].message.Value}, one)
			place++
		}))
		require.Len(r, entries, place)

		var set protocol.RecordSet
		_, err = set.ReadFrom(bytes.NewReader(request))
		require.NoError(r, err)
		require.Len(r, set.Records.(*protocol.RecordStream).Records, 1)
		batch := set.Records.(*protocol.RecordStream).Records[0].(*protocol.RecordBatch)
		require.Equal(r, []any{from.producer, from.epoch, from.sequence}, []any{batch.ProducerID, batch.ProducerEpoch, batch.BaseSequence})
	})
}
