package kafka

import (
	"encoding/binary"
	"fmt"
	"io"
	"sync"

	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/fetch"
)

// fetchRequest is kafka-go's Fetch with an answer of its own: kafka-go's decoder drops what the
// header of a batch says about time, and where the batch ends. kafka-go chooses the broker and the
// connection, and hands the latter to RawExchange.
type fetchRequest struct {
	*fetch.Request
	client  string // the client id
	version int16
}

var _ protocol.RawExchanger = (*fetchRequest)(nil)

// Required notes the version that was negotiated for the connection. It is always true: the exchange
// is ours.
func (r *fetchRequest) Required(versions map[protocol.ApiKey]int16) bool {
	r.version = versions[protocol.Fetch]
	return true
}

// RawExchange sends the request and reads its answer, a *fetchResponse.
func (r *fetchRequest) RawExchange(broker io.ReadWriter) (protocol.Message, error) {
	// Requests of a connection follow each other, so that any correlation id will do.
	const correlation = 0
	if err := protocol.WriteRequest(broker, r.version, correlation, r.client, r.Request); err != nil {
		return nil, err
	}
	var header [8]byte // the size of the answer without itself, and the correlation id
	if _, err := io.ReadFull(broker, header[:]); err != nil {
		return nil, err
	}
	size := int(int32(binary.BigEndian.Uint32(header[:4]))) - 4
	if id := binary.BigEndian.Uint32(header[4:]); id != correlation || size < 0 {
		return nil, fmt.Errorf("the answer to a fetch has the correlation id %d and the size %d", id, size)
	}
	body := bodies.Get().(*[]byte)
	defer bodies.Put(body)
	if cap(*body) < size {
		*body = make([]byte, size)
	}
	*body = (*body)[:size]
	if _, err := io.ReadFull(broker, *body); err != nil {
		return nil, err
	}
	answer := &fetchResponse{}
	return answer, protocol.Unmarshal(*body, r.version, answer)
}

// bodies are buffers of answers, which Unmarshal copies.
var bodies = sync.Pool{New: func() any { return new([]byte) }}

// fetchResponse is fetch.Response with the batches as they are. The versions are those that kafka-go
// negotiates.
type fetchResponse struct {
	ThrottleTimeMs int32                `kafka:"min=v1,max=v11"`
	ErrorCode      int16                `kafka:"min=v7,max=v11"`
	SessionID      int32                `kafka:"min=v7,max=v11"`
	Topics         []fetchResponseTopic `kafka:"min=v0,max=v11"`
}

type fetchResponseTopic struct {
	Topic      string                   `kafka:"min=v0,max=v11"`
	Partitions []fetchResponsePartition `kafka:"min=v0,max=v11"`
}

type fetchResponsePartition struct {
	Partition            int32                       `kafka:"min=v0,max=v11"`
	ErrorCode            int16                       `kafka:"min=v0,max=v11"`
	HighWatermark        int64                       `kafka:"min=v0,max=v11"`
	LastStableOffset     int64                       `kafka:"min=v4,max=v11"`
	LogStartOffset       int64                       `kafka:"min=v5,max=v11"`
	AbortedTransactions  []fetch.ResponseTransaction `kafka:"min=v4,max=v11"`
	PreferredReadReplica int32                       `kafka:"min=v11,max=v11"`
	Batches              []byte                      `kafka:"min=v0,max=v11"`
}

// ApiKey has kafka-go's spelling.
func (*fetchResponse) ApiKey() protocol.ApiKey { return protocol.Fetch }
