package kafka

import (
	"encoding/binary"
	"hash/crc32"
	"math"
	"time"
)

// Where the header of a batch has what only a producer writes.
const (
	atLeaderEpoch   = 12
	atProducerEpoch = 51
	atSequence      = 53
)

// sizeLength is the length of the size that a produce request has before its batch.
const sizeLength = 4

// encodeBatch returns the messages as one batch, after its size. kafka-go's own encoder has no producer
// id.
func encodeBatch(from identity, now time.Time, entries []*entry) []byte {
	room := headerSize
	for _, e := range entries {
		room += size(e.message) + recordOverhead
	}
	request := make([]byte, sizeLength+headerSize, sizeLength+room)
	for i, e := range entries {
		request = appendRecord(request, i, e.message)
	}
	text := request[sizeLength:]
	binary.BigEndian.PutUint32(request, uint32(len(text)))
	binary.BigEndian.PutUint32(text[atLength:], uint32(len(text)-lengthEnd))
	binary.BigEndian.PutUint32(text[atLeaderEpoch:], math.MaxUint32) // the broker's to know
	text[atMagic] = magic
	binary.BigEndian.PutUint32(text[atLastOffsetDelta:], uint32(len(entries)-1))
	binary.BigEndian.PutUint64(text[atBaseTimestamp:], uint64(now.UnixMilli()))
	binary.BigEndian.PutUint64(text[atMaxTimestamp:], uint64(now.UnixMilli()))
	binary.BigEndian.PutUint64(text[atProducerID:], uint64(from.producer))
	binary.BigEndian.PutUint16(text[atProducerEpoch:], uint16(from.epoch))
	binary.BigEndian.PutUint32(text[atSequence:], uint32(from.sequence))
	binary.BigEndian.PutUint32(text[atRecords:], uint32(len(entries)))
	binary.BigEndian.PutUint32(text[atCRC:], crc32.Checksum(text[atAttributes:], castagnoli))
	return request
}

// appendRecord appends the record at that place of its batch, with the batch's time and without
// headers.
func appendRecord(text []byte, place int, m *Message) []byte {
	length := 3 + varintSize(int64(place)) + bytesSize(m.Key) + bytesSize(m.Value) // attributes, time, headers
	text = binary.AppendVarint(text, int64(length))
	text = append(text, 0, 0)
	text = binary.AppendVarint(text, int64(place))
	text = appendBytes(text, m.Key)
	text = appendBytes(text, m.Value)
	return append(text, 0)
}

// appendBytes appends bytes after their length, which is -1 for nil.
func appendBytes(text, value []byte) []byte {
	if value == nil {
		return binary.AppendVarint(text, -1)
	}
	return append(binary.AppendVarint(text, int64(len(value))), value...)
}

func bytesSize(value []byte) int {
	if value == nil {
		return 1
	}
	return varintSize(int64(len(value))) + len(value)
}

func varintSize(value int64) int {
	var text [binary.MaxVarintLen64]byte
	return binary.PutVarint(text[:], value)
}
