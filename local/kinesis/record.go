package kinesis

import (
	"encoding/binary"
	"errors"
)

// record is a record as the journal keeps it.
type record struct {
	stream   int64
	shard    int
	position uint64
	arrival  int64
	key      string
	data     []byte
}

// recordHeader is the size of all but key and data.
const recordHeader = 8 + 4 + 8 + 8 + 2

func (r record) encode() []byte {
	payload := make([]byte, 0, recordHeader+len(r.key)+len(r.data))
	payload = binary.BigEndian.AppendUint64(payload, uint64(r.stream))
	payload = binary.BigEndian.AppendUint32(payload, uint32(r.shard))
	payload = binary.BigEndian.AppendUint64(payload, r.position)
	payload = binary.BigEndian.AppendUint64(payload, uint64(r.arrival))
	payload = binary.BigEndian.AppendUint16(payload, uint16(len(r.key)))
	return append(append(payload, r.key...), r.data...)
}

func decode(payload []byte) (record, error) {
	if len(payload) < recordHeader {
		return record{}, errors.New("a record of the journal is too short")
	}
	r := record{
		stream: int64(binary.BigEndian.Uint64(payload)), shard: int(binary.BigEndian.Uint32(payload[8:])),
		position: binary.BigEndian.Uint64(payload[12:]), arrival: int64(binary.BigEndian.Uint64(payload[20:])),
	}
	end := recordHeader + int(binary.BigEndian.Uint16(payload[28:]))
	if len(payload) < end {
		return record{}, errors.New("a record of the journal has no whole key")
	}
	r.key, r.data = string(payload[recordHeader:end]), payload[end:]
	return r, nil
}
