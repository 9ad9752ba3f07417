package kafka

import (
	"context"
	"fmt"
	"io"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/initproducerid"

	"github.com/pinflow/pinflow/internal/clients/fault"
)

// identity is a producer id with its epoch, and the number of the next record. A broker appends a
// batch only once that comes a second time under the same numbers, and gives its offset again
// (https://kafka.apache.org/documentation/#upgrade_11_message_format).
type identity struct {
	producer int64
	epoch    int16
	sequence int32
	// named reports whether it is one of a broker. Until then, batches that are sent again are appended
	// again.
	named bool
	// nextAsked is when brokers are asked for one again that have refused it.
	nextAsked time.Time
}

// refusedTime is how long brokers are not asked again.
const refusedTime = time.Minute

// known reports whether brokers need not be asked now.
func (i identity) known() bool { return i.named || time.Now().Before(i.nextAsked) }

// advance counts records that were appended. Numbers begin again after the largest.
func (i *identity) advance(records int) {
	if i.named {
		i.sequence = int32((int64(i.sequence) + int64(records)) & 0x7fffffff)
	}
}

// newIdentity asks the brokers for a producer id. It returns an identity without one if they refuse it
// to this user or are too old.
func (p *Producer) newIdentity() (identity, error) {
	ctx, cancel := context.WithTimeout(context.Background(), p.config.RequestTimeout)
	defer cancel()
	answer, err := p.transport.RoundTrip(ctx, p.client.Addr, &identityRequest{client: p.config.ClientID})
	if err == nil {
		got := answer.(identityResponse)
		if got.ErrorCode == 0 {
			return identity{producer: got.ProducerID, epoch: got.ProducerEpoch, named: true}, nil
		}
		err = kafkago.Error(got.ErrorCode)
	}
	err = fmt.Errorf("get a producer id: %w", err)
	if kindOf(err) == fault.Unreachable {
		return identity{}, err
	}
	return identity{producer: -1, epoch: -1, sequence: -1, nextAsked: time.Now().Add(refusedTime)}, nil
}

// identityRequest is kafka-go's InitProducerID without a transaction, for which kafka-go would look
// for a coordinator.
type identityRequest struct {
	client  string
	version int16
	offered bool
}

var _ protocol.RawExchanger = (*identityRequest)(nil)

// ApiKey is the request's number in the protocol.
func (r *identityRequest) ApiKey() protocol.ApiKey { return protocol.InitProducerId }

// Required notes the version that was negotiated for the connection.
func (r *identityRequest) Required(versions map[protocol.ApiKey]int16) bool {
	r.version, r.offered = versions[protocol.InitProducerId]
	return true
}

// RawExchange sends the request and reads its answer, an identityResponse.
func (r *identityRequest) RawExchange(broker io.ReadWriter) (protocol.Message, error) {
	if !r.offered {
		return identityResponse{&initproducerid.Response{ErrorCode: int16(kafkago.UnsupportedVersion)}}, nil
	}
	answer, err := protocol.RoundTrip(broker, r.version, 0, r.client, &initproducerid.Request{ProducerID: -1, ProducerEpoch: -1})
	if err != nil {
		return nil, err
	}
	return identityResponse{answer.(*initproducerid.Response)}, nil
}

// identityResponse is an answer that kafka-go does not take for one to a request of its own.
type identityResponse struct{ *initproducerid.Response }
