package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/describegroups"
	"github.com/segmentio/kafka-go/protocol/metadata"
)

// Operation is an operation of Kafka's ACLs, by the code that it has in the protocol:
// https://kafka.apache.org/documentation/#operations_in_kafka
type Operation int

// The operations that Pinflow needs.
const (
	Read            Operation = 3
	Write           Operation = 4
	Create          Operation = 5
	Describe        Operation = 8
	DescribeConfigs Operation = 10
	AlterConfigs    Operation = 11
)

// String returns the name that kafka-acls has for the operation.
func (o Operation) String() string {
	return map[Operation]string{
		Read: "Read", Write: "Write", Create: "Create", Describe: "Describe", DescribeConfigs: "DescribeConfigs", AlterConfigs: "AlterConfigs",
	}[o]
}

// Permissions are the operations that the cluster allows, of those that Pinflow needs.
type Permissions struct {
	// Topics holds those on each topic that exists; a topic that may not even be described has none.
	Topics map[string]map[Operation]bool
	// Group holds those on the consumer group.
	Group map[Operation]bool
	// Known reports whether the brokers tell: they do since Kafka 2.3.
	Known bool
}

// operations returns the operations of a bit field, and whether it tells them.
func operations(bits int32) (allowed map[Operation]bool, known bool) {
	allowed = map[Operation]bool{}
	for _, operation := range []Operation{Read, Write, Create, Describe, DescribeConfigs, AlterConfigs} {
		allowed[operation] = bits&(1<<operation) != 0
	}
	return allowed, bits != math.MinInt32
}

// Permissions returns what the cluster allows to the user of the connection.
func (a *Admin) Permissions(ctx context.Context, topics []string, group string) (Permissions, error) {
	ctx, cancel := context.WithTimeout(ctx, adminTimeout)
	defer cancel()
	found := Permissions{Topics: map[string]map[Operation]bool{}, Known: true}
	answer, err := a.client.Transport.RoundTrip(ctx, a.client.Addr, &metadataRequest{client: a.ClientID, Request: &metadata.Request{
		TopicNames: topics, IncludeTopicAuthorizedOperations: true,
	}})
	if err != nil {
		return Permissions{}, fmt.Errorf("ask for the permissions on topics: %w", err)
	}
	for _, topic := range answer.(metadataResponse).Topics {
		switch err := kafkago.Error(topic.ErrorCode); {
		case topic.ErrorCode == 0:
			allowed, known := operations(topic.TopicAuthorizedOperations)
			found.Topics[topic.Name] = allowed
			found.Known = found.Known && known
		case errors.Is(err, kafkago.TopicAuthorizationFailed):
			found.Topics[topic.Name] = map[Operation]bool{}
		case !errors.Is(err, kafkago.UnknownTopicOrPartition):
			return Permissions{}, fmt.Errorf("ask for the permissions on topic %s: %w", topic.Name, err)
		}
	}
	answer, err = a.client.Transport.RoundTrip(ctx, a.client.Addr, &describegroups.Request{Groups: []string{group}, IncludeAuthorizedOperations: true})
	if err != nil {
		return Permissions{}, fmt.Errorf("ask for the permissions on group %s: %w", group, err)
	}
	for _, one := range answer.(*describegroups.Response).Groups {
		switch err := kafkago.Error(one.ErrorCode); {
		case one.ErrorCode == 0, errors.Is(err, kafkago.GroupIdNotFound):
			var known bool
			found.Group, known = operations(one.AuthorizedOperations)
			found.Known = found.Known && known
		case errors.Is(err, kafkago.GroupAuthorizationFailed):
			found.Group = map[Operation]bool{}
		default:
			return Permissions{}, fmt.Errorf("ask for the permissions on group %s: %w", group, err)
		}
	}
	return found, nil
}

// metadataRequest is a request for metadata that kafka-go does not answer from its cache.
type metadataRequest struct {
	*metadata.Request
	client  string
	version int16
}

var _ protocol.RawExchanger = (*metadataRequest)(nil)

// Required notes the version that was negotiated for the connection.
func (r *metadataRequest) Required(versions map[protocol.ApiKey]int16) bool {
	r.version = versions[protocol.Metadata]
	return true
}

// RawExchange sends the request and reads its answer, a metadataResponse.
func (r *metadataRequest) RawExchange(broker io.ReadWriter) (protocol.Message, error) {
	answer, err := protocol.RoundTrip(broker, r.version, 0, r.client, r.Request)
	if err != nil {
		return nil, err
	}
	return metadataResponse{answer.(*metadata.Response)}, nil
}

// metadataResponse is an answer that kafka-go does not take for one to a request of its own.
type metadataResponse struct{ *metadata.Response }
