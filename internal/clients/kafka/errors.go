package kafka

import (
	"errors"

	kafkago "github.com/segmentio/kafka-go"
)

// Errors that callers tell apart with errors.Is.
var (
	// ErrUnknownTopic says that the cluster has no such topic.
	ErrUnknownTopic = errors.New("topic not found")
	// ErrUnknownPartition says that the topic has no such partition.
	ErrUnknownPartition = errors.New("partition not found")
	// ErrTooLarge says that a message is larger than MaxMessageBytes.
	ErrTooLarge = errors.New("message too large")
	// ErrUnreachable says that no broker answers.
	ErrUnreachable = errors.New("no Kafka broker answers")
	// ErrClosed says that the producer has been closed.
	ErrClosed = errors.New("the producer is closed")
)

// Fault is what an error of Kafka means for what to do next.
type Fault int

// The faults.
const (
	// FaultNone is no error.
	FaultNone Fault = iota
	// FaultTransient passes: a lost connection, a moving leader, a slow replica. Ask for fresh metadata and try again.
	FaultTransient
	// FaultRecord is a record, or the size of a batch, that the broker will never take.
	FaultRecord
	// FaultAuthentication says that the broker does not know who is asking.
	FaultAuthentication
	// FaultAuthorization says that who is asking may not.
	FaultAuthorization
	// FaultPermanent is any other refusal; trying again would get the same.
	FaultPermanent
)

// invalidRecord is Kafka's INVALID_RECORD (code 87), which kafka-go has no name for.
const invalidRecord kafkago.Error = 87

// Classify says what an error of a request to Kafka means. Only a broker's own answer can be final: what goes wrong between
// here and the broker passes: a refused or lost connection, a time limit, kafka-go's own "topic not found" of an old layout.
func Classify(err error) Fault {
	if err == nil {
		return FaultNone
	}
	var code kafkago.Error
	if !errors.As(err, &code) {
		if errors.Is(err, ErrTooLarge) {
			return FaultRecord
		}
		return FaultTransient
	}
	switch code {
	case kafkago.MessageSizeTooLarge, kafkago.RecordListTooLarge, kafkago.InvalidTimestamp, invalidRecord:
		return FaultRecord
	case kafkago.UnsupportedSASLMechanism, kafkago.IllegalSASLState, kafkago.SASLAuthenticationFailed:
		return FaultAuthentication
	case kafkago.TopicAuthorizationFailed, kafkago.GroupAuthorizationFailed, kafkago.ClusterAuthorizationFailed,
		kafkago.TransactionalIDAuthorizationFailed, kafkago.BrokerAuthorizationFailed:
		return FaultAuthorization
	case kafkago.BrokerNotAvailable, kafkago.ReplicaNotAvailable: // temporary for Kafka's own clients, not for kafka-go
		return FaultTransient
	}
	if code.Temporary() {
		return FaultTransient
	}
	return FaultPermanent
}

// staleLayout says whether the error can come from an old picture of the cluster, so that new metadata may mend it.
func staleLayout(err error) bool {
	var code kafkago.Error
	if errors.As(err, &code) {
		switch code {
		case kafkago.UnknownTopicOrPartition, kafkago.LeaderNotAvailable, kafkago.NotLeaderForPartition,
			kafkago.BrokerNotAvailable, kafkago.ReplicaNotAvailable, kafkago.FencedLeaderEpoch, kafkago.UnknownLeaderEpoch,
			kafkago.KafkaStorageError, kafkago.UnknownTopicID, kafkago.InconsistentTopicID:
			return true
		}
		return false
	}
	return true // a broker that cannot be reached may have handed its partitions to another
}
