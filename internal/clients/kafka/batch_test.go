package kafka

import (
	"encoding/binary"
	"hash/crc32"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/pinflow/pinflow/internal/clients/fault"
)

// batchOf encodes a batch from an offset on. Its records are a millisecond apart.
func batchOf(base int64, attributes uint16, produced, appended time.Time, values ...string) []byte {
	b := make([]byte, headerSize)
	for i, value := range values {
		one := []byte{0} // attributes
		one = binary.AppendVarint(one, int64(i))
		one = binary.AppendVarint(one, int64(i))
		one = binary.AppendVarint(one, -1)
		one = binary.AppendVarint(one, int64(len(value)))
		one = append(one, value...)
		one = binary.AppendVarint(one, 0)
		b = append(binary.AppendVarint(b, int64(len(one))), one...)
	}
	binary.BigEndian.PutUint64(b[atBaseOffset:], uint64(base))
	binary.BigEndian.PutUint32(b[atLength:], uint32(len(b)-lengthEnd))
	b[atMagic] = magic
	binary.BigEndian.PutUint16(b[atAttributes:], attributes)
	binary.BigEndian.PutUint32(b[atLastOffsetDelta:], uint32(len(values)-1))
	binary.BigEndian.PutUint64(b[atBaseTimestamp:], uint64(produced.UnixMilli()))
	binary.BigEndian.PutUint64(b[atMaxTimestamp:], uint64(appended.UnixMilli()))
	binary.BigEndian.PutUint64(b[atProducerID:], ^uint64(0))
	binary.BigEndian.PutUint32(b[atRecords:], uint32(len(values)))
	return seal(b)
}

// withRecords returns a batch of one record, with its encoding.
func withRecords(b, record []byte) []byte {
	b = append(b[:headerSize:headerSize], binary.AppendVarint(nil, int64(len(record)))...)
	b = append(b, record...)
	binary.BigEndian.PutUint32(b[atLength:], uint32(len(b)-lengthEnd))
	return seal(b)
}

func seal(b []byte) []byte {
	binary.BigEndian.PutUint32(b[atCRC:], crc32.Checksum(b[atAttributes:], castagnoli))
	return b
}

func TestCommittedRecords(t *testing.T) {
	produced, appended := time.UnixMilli(1_666_000_000_000), time.UnixMilli(1_666_000_007_000)
	read := func(from int64, batches ...[]byte) (times []time.Time, offsets []int64, next int64, err error) {
		answer := &fetchResponsePartition{}
		for _, b := range batches {
			answer.Batches = append(answer.Batches, b...)
		}
		records, next, err := committedRecords(answer, from)
		for _, one := range records {
			times, offsets = append(times, one.Time), append(offsets, one.Offset)
		}
		return times, offsets, next, err
	}

	t.Run("takes_the_time_that_the_type_of_the_batch_says", func(t *testing.T) {
		times, offsets, next, err := read(5, batchOf(4, 0, produced, appended, "a", "b", "c"), batchOf(7, logAppendTime, produced, appended, "d", "e"))
		require.NoError(t, err)
		require.Equal(t, []int64{5, 6, 7, 8}, offsets)
		require.EqualValues(t, 9, next)
		require.Equal(t, []time.Time{produced.Add(time.Millisecond), produced.Add(2 * time.Millisecond), appended, appended}, times)
	})

	t.Run("keeps_headers_and_tells_a_missing_value_from_an_empty_one", func(t *testing.T) {
		one := func(value []byte, headers ...kafkago.Header) []byte {
			text := []byte{0, 0, 0, 1} // attributes, deltas of time and offset, and -1: no key
			text = append(appendBytes(text, value), byte(2*len(headers)))
			for _, header := range headers {
				text = appendBytes(appendBytes(text, []byte(header.Key)), header.Value)
			}
			return withRecords(batchOf(0, 0, produced, appended, "a"), text)
		}
		for _, want := range []kafkago.Message{
			{Value: nil}, {Value: []byte{}}, {Value: []byte("v"), Headers: []kafkago.Header{{Key: "a", Value: []byte("1")}, {Key: "a", Value: []byte{}}, {Key: "b"}}},
		} {
			records, _, err := committedRecords(&fetchResponsePartition{Batches: one(want.Value, want.Headers...)}, 0)
			require.NoError(t, err)
			require.Equal(t, want.Value, records[0].Value)
			require.Equal(t, want.Headers, records[0].Headers)
		}
		cut := one([]byte("v"), kafkago.Header{Key: "a", Value: []byte("1")})
		_, _, _, err := read(0, seal(withRecords(cut, []byte{0, 0, 0, 1, 2, 'v', 0x7e})))
		require.ErrorContains(t, err, "cannot be decoded", "63 headers, of which there is none")
	})

	t.Run("leaves_a_batch_that_is_cut_off_to_the_next_fetch", func(t *testing.T) {
		whole, cut := batchOf(0, 0, produced, appended, "a"), batchOf(1, 0, produced, appended, "b", "c")
		for size := range cut {
			_, offsets, next, err := read(0, whole, cut[:size])
			require.NoError(t, err)
			require.Equal(t, []int64{0}, offsets)
			require.EqualValues(t, 1, next)
		}
		_, _, _, err := read(1, cut[:70])
		require.ErrorIs(t, err, errCut, "a broker returns at least one batch")
	})

	t.Run("refuses_a_batch_with_another_checksum_and_the_old_format", func(t *testing.T) {
		spoiled := batchOf(0, 0, produced, appended, "a")
		spoiled[len(spoiled)-2]++
		_, _, _, err := read(0, spoiled)
		require.ErrorContains(t, err, "checksum")
		old := batchOf(0, 0, produced, appended, "a")
		old[atMagic] = 1
		_, _, _, err = read(0, old)
		require.ErrorIs(t, err, ErrOldFormat)
		require.Equal(t, fault.Invalid, fault.KindOf(Classify(err)), "it does not pass")
	})

	// Whatever bytes a batch has, reading ends without a panic.
	t.Run("any_bytes", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			b := batchOf(0, uint16(rapid.IntRange(0, 63).Draw(t, "attributes")), produced, appended, "first", "second")
			for range rapid.IntRange(0, 8).Draw(t, "changes") {
				b[rapid.IntRange(atAttributes, len(b)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "byte")
			}
			_, _, _, _ = read(0, seal(b))
		})
	})
}
