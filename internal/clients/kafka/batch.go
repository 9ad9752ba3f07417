package kafka

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"sync"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/compress"
)

// The header of a batch: https://kafka.apache.org/documentation/#recordbatch. Numbers are big-endian.
const (
	atBaseOffset      = 0
	atLength          = 8 // of what follows it
	atMagic           = 16
	atCRC             = 17 // of what follows it
	atAttributes      = 21
	atLastOffsetDelta = 23
	atBaseTimestamp   = 27
	atMaxTimestamp    = 35
	atProducerID      = 43
	atRecords         = 57 // their number
	headerSize        = 61

	// lengthEnd is how much of a batch its length does not count.
	lengthEnd = atLength + 4
	// magic is the format since Kafka 0.11.
	magic = 2
)

// Bits of the attributes of a batch.
const (
	compression   = 0x07
	logAppendTime = 0x08
	transactional = 0x10
	control       = 0x20
)

// ErrOldFormat is the error of records in the format before Kafka 0.11.
var ErrOldFormat = errors.New("records in the message format before Kafka 0.11")

// errCut is the error of a batch whose end is missing. Brokers cut the last batch of an answer off.
var errCut = errors.New("the batch is cut off")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// batch is a batch of records, with a header that has been checked.
type batch []byte

// cutBatch returns the first batch of an answer, and the rest.
func cutBatch(answer []byte) (first batch, rest []byte, err error) {
	if len(answer) < headerSize {
		return nil, nil, errCut
	}
	if answer[atMagic] != magic {
		return nil, nil, ErrOldFormat
	}
	size := int64(int32(binary.BigEndian.Uint32(answer[atLength:]))) + lengthEnd
	if size < headerSize {
		return nil, nil, fmt.Errorf("a batch of %d bytes: its header alone has %d", size, headerSize)
	}
	if size > int64(len(answer)) {
		return nil, nil, errCut
	}
	first = batch(answer[:size:size])
	if want, got := binary.BigEndian.Uint32(first[atCRC:]), crc32.Checksum(first[atAttributes:], castagnoli); want != got {
		return nil, nil, fmt.Errorf("the checksum of the batch at offset %d is %08x, that of its bytes %08x", first.base(), want, got)
	}
	return first, answer[size:], nil
}

func (b batch) int64(at int) int64 { return int64(binary.BigEndian.Uint64(b[at:])) }
func (b batch) int32(at int) int32 { return int32(binary.BigEndian.Uint32(b[at:])) }

func (b batch) is(bit uint16) bool { return binary.BigEndian.Uint16(b[atAttributes:])&bit != 0 }

// base returns the first offset, end the offset after the last. Compaction removes records, but
// never changes these.
func (b batch) base() int64 { return b.int64(atBaseOffset) }
func (b batch) end() int64  { return b.base() + int64(b.int32(atLastOffsetDelta)) + 1 }

// records returns the records, decompressed. Without compression they are the batch's own memory.
func (b batch) records() ([]byte, error) {
	packed := b[headerSize:]
	kind := compress.Compression(binary.BigEndian.Uint16(b[atAttributes:]) & compression)
	if kind == compress.None {
		return packed, nil
	}
	codec := kind.Codec()
	if codec == nil {
		return nil, fmt.Errorf("the batch at offset %d has the unknown compression %d", b.base(), kind)
	}
	reader := codec.NewReader(bytes.NewReader(packed))
	defer reader.Close()
	buffer := unpacked.Get().(*bytes.Buffer)
	defer unpacked.Put(buffer)
	buffer.Reset()
	if _, err := buffer.ReadFrom(reader); err != nil {
		return nil, fmt.Errorf("decompress the batch at offset %d: %w", b.base(), err)
	}
	return bytes.Clone(buffer.Bytes()), nil // the records keep it
}

// unpacked are buffers in which batches grow while they are decompressed.
var unpacked = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// maxCapacity limits what the header of a batch can make a reader allocate.
const maxCapacity = 1 << 16

// capacity returns the room that the records of the batch need in a slice.
func (b batch) capacity() int { return int(min(max(b.int32(atRecords), 0), maxCapacity)) }

// record is a record of a batch. Key, value and headers share its memory; nil is no key, or no value.
type record struct {
	offset     int64
	at         time.Time
	key, value []byte
	headers    []kafkago.Header
}

// each calls take for each record.
//
// Its time is that of the batch if the broker has set it: with LogAppendTime it writes only the
// maximum and a bit into the header, and the times of the records remain those of the producer.
func (b batch) each(take func(record)) error {
	text, err := b.records()
	if err != nil {
		return err
	}
	from := decoder{rest: text}
	for range b.int32(atRecords) {
		one := from.record(b)
		if from.bad {
			return fmt.Errorf("the batch at offset %d has a record that cannot be decoded", b.base())
		}
		take(one)
	}
	return nil
}

// decoder reads the parts of records: https://kafka.apache.org/documentation/#record.
type decoder struct {
	rest []byte
	bad  bool
}

// record returns the next record.
func (d *decoder) record(of batch) record {
	one := decoder{rest: d.bytes()}
	one.skip(1) // attributes, of which there are none
	at := of.int64(atBaseTimestamp) + one.varint()
	if of.is(logAppendTime) {
		at = of.int64(atMaxTimestamp)
	}
	decoded := record{at: time.UnixMilli(at), offset: of.base() + one.varint(), key: one.bytes(), value: one.bytes()}
	for range one.varint() {
		if one.bad { // their number is not to be trusted, either
			break
		}
		decoded.headers = append(decoded.headers, kafkago.Header{Key: string(one.bytes()), Value: one.bytes()})
	}
	d.bad = d.bad || one.bad
	return decoded
}

func (d *decoder) varint() int64 {
	value, size := binary.Varint(d.rest)
	d.skip(size)
	d.bad = d.bad || size <= 0
	return value
}

// bytes returns bytes after their length, or nil if that is negative.
func (d *decoder) bytes() []byte {
	length := d.varint()
	if length < 0 || length > int64(len(d.rest)) {
		d.bad = d.bad || length > 0
		return nil
	}
	read := d.rest[:length:length]
	d.rest = d.rest[length:]
	return read
}

func (d *decoder) skip(size int) {
	if size < 0 || size > len(d.rest) {
		d.bad, size = true, len(d.rest)
	}
	d.rest = d.rest[size:]
}

// aborts reports whether a control batch ends a transaction by aborting it.
func (b batch) aborts() (aborted bool, err error) {
	err = b.each(func(marker record) {
		// The key is a version and a type: 0 aborts, 1 commits.
		aborted = len(marker.key) >= 4 && binary.BigEndian.Uint16(marker.key[2:]) == 0
	})
	return aborted, err
}
