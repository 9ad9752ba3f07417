package kafka

import (
	"crypto/tls"
	"errors"
	"io"
	"strings"

	kafkago "github.com/segmentio/kafka-go"

	"github.com/pinflow/pinflow/internal/clients/fault"
)

// Errors that callers distinguish with errors.Is.
var (
	// ErrUnknownTopic is the error for a topic that the cluster does not have.
	ErrUnknownTopic = errors.New("topic not found")
	// ErrUnknownPartition is the error for a partition that the topic does not have.
	ErrUnknownPartition = errors.New("partition not found")
	// ErrTooLarge is the error of a message larger than MaxMessageBytes.
	ErrTooLarge = errors.New("message too large")
	// ErrUnreachable is the error of a request that no broker answered.
	ErrUnreachable = errors.New("no Kafka broker answers")
	// ErrUnknownOutcome is the error of a message that Kafka has not acknowledged in time, and may have
	// written all the same: to send it again may write it twice.
	ErrUnknownOutcome = errors.New("not acknowledged by Kafka in time, which may have written the record")
	// ErrClosed is the error of a closed producer.
	ErrClosed = errors.New("the producer is closed")
)

// invalidRecord is Kafka's INVALID_RECORD (code 87), which kafka-go has no name for.
const invalidRecord kafkago.Error = 87

// Classify turns an error of a request to Kafka into a *fault.Error. Only a broker's own answer can
// be final: a refused or lost connection, a timeout and kafka-go's own "topic not found", which
// it takes from outdated metadata, are fault.Unreachable. So is UNKNOWN_TOPIC_OR_PARTITION, which
// Kafka lists as retriable (https://kafka.apache.org/protocol#protocol_error_codes): a broker
// answers so while it starts, and while a partition moves. Only fresh metadata of the cluster
// proves that a topic is missing: ErrUnknownTopic.
func Classify(err error) error {
	if err == nil || fault.KindOf(err) != fault.Unknown {
		return err
	}
	classified := func(kind fault.Kind, what, next string) error {
		return &fault.Error{Kind: kind, What: what, Next: next, Err: err}
	}
	if what, next := securityFault(err); what != "" {
		return classified(kindOf(err), what, next)
	}
	switch kindOf(err) {
	case fault.Missing:
		return classified(fault.Missing, "Kafka does not have the topic", "run `starter setup`, or set PINFLOW_USER_ID to the prefix of the topics")
	case fault.Unauthenticated:
		return classified(fault.Unauthenticated, "Kafka rejected the credentials", "check PINFLOW_KAFKA_SASL_USERNAME and PINFLOW_KAFKA_SASL_PASSWORD")
	case fault.Unauthorized:
		return classified(fault.Unauthorized, "Kafka denied permission", "check the ACLs of the topics and of the consumer group: `starter doctor` names those that are missing")
	case fault.Invalid:
		if errors.Is(err, ErrOldFormat) {
			return classified(fault.Invalid, "Pinflow reads records in the format of Kafka 0.11 and later", "copy them to another topic with a newer client")
		}
		return classified(fault.Invalid, "Kafka rejected the request", "check the record, or the settings of the topic")
	}
	if errors.Is(err, kafkago.UnknownTopicOrPartition) {
		return classified(fault.Unreachable, "a Kafka broker does not know the topic or the partition", "check that the broker is up to date and the topic exists")
	}
	return classified(fault.Unreachable, "cannot reach Kafka", "is the stack up? start it with `make stack`, or set PINFLOW_KAFKA_BROKERS")
}

// securityFault returns what is wrong between the settings and the listener of the brokers, and what
// to do; nothing if the error is of another kind.
func securityFault(err error) (what, next string) {
	const protocol = "set PINFLOW_KAFKA_SECURITY_PROTOCOL to what the listener speaks, which `starter doctor` shows, or PINFLOW_KAFKA_BROKERS to another listener"
	switch text := err.Error(); {
	case untrusted(err):
		return "the certificate of the Kafka broker is not trusted", "set PINFLOW_KAFKA_TLS_CA_FILE to the CA that has signed it, and PINFLOW_KAFKA_BROKERS to a name that it has"
	case alerted(err):
		return "the Kafka broker rejected the TLS connection", "if it asks for a certificate of the client, set PINFLOW_KAFKA_TLS_CERT_FILE and PINFLOW_KAFKA_TLS_KEY_FILE"
	case errors.As(err, new(tls.RecordHeaderError)):
		return "the listener of the Kafka broker does not speak TLS", protocol
	case strings.Contains(text, "broker appears to be expecting TLS"): // kafka-go has no other mark
		return "the listener of the Kafka broker wants TLS", protocol
	case errors.Is(err, kafkago.UnsupportedSASLMechanism):
		return "Kafka does not offer the SASL mechanism", "set PINFLOW_KAFKA_SASL_MECHANISM to one of those that `starter doctor` shows"
	case errors.Is(err, kafkago.IllegalSASLState):
		return "the listener of the Kafka broker does not authenticate clients", protocol
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the Kafka broker closed the connection",
			"it may have just restarted; otherwise check PINFLOW_KAFKA_SASL_USERNAME and PINFLOW_KAFKA_SASL_PASSWORD, and " + protocol
	}
	return "", ""
}

// untrusted reports whether the certificate of the broker was rejected.
func untrusted(err error) bool { return errors.As(err, new(*tls.CertificateVerificationError)) }

// alerted reports whether the broker rejected the TLS connection. The type of that error is crypto/tls's
// own.
func alerted(err error) bool { return strings.Contains(err.Error(), "remote error: tls: ") }

// kindOf returns what an error of a request to Kafka means.
func kindOf(err error) fault.Kind {
	if known := fault.KindOf(err); known != fault.Unknown {
		return known
	}
	var code kafkago.Error
	switch {
	case errors.Is(err, ErrUnknownTopic): // before the code, which Partitions wraps as well
		return fault.Missing
	case errors.Is(err, ErrTooLarge), errors.Is(err, ErrOldFormat):
		return fault.Invalid
	case untrusted(err), alerted(err):
		return fault.Unauthenticated
	case !errors.As(err, &code):
		return fault.Unreachable
	}
	switch code {
	case kafkago.UnsupportedSASLMechanism, kafkago.IllegalSASLState, kafkago.SASLAuthenticationFailed:
		return fault.Unauthenticated
	case kafkago.TopicAuthorizationFailed, kafkago.GroupAuthorizationFailed, kafkago.ClusterAuthorizationFailed,
		kafkago.TransactionalIDAuthorizationFailed, kafkago.BrokerAuthorizationFailed:
		return fault.Unauthorized
	case kafkago.BrokerNotAvailable, kafkago.ReplicaNotAvailable: // temporary for Kafka's own clients, not for kafka-go
		return fault.Unreachable
	}
	if code.Temporary() {
		return fault.Unreachable
	}
	return fault.Invalid
}

// passes reports whether a request may succeed when it is repeated with fresh metadata: a topic
// that a broker does not know may have just been created, or moved.
func passes(err error) bool {
	if err == nil {
		return false
	}
	kind := kindOf(err)
	return kind == fault.Unreachable || kind == fault.Missing
}

// mayHaveAppended reports whether a broker that answers with the error may have appended the batch.
func mayHaveAppended(err error) bool {
	var code kafkago.Error
	if !errors.As(err, &code) {
		return true
	}
	switch code {
	case kafkago.Unknown, kafkago.RequestTimedOut, kafkago.NetworkException, kafkago.NotEnoughReplicasAfterAppend,
		kafkago.KafkaStorageError, kafkago.DuplicateSequenceNumber:
		return true
	}
	return false
}

// forgotten reports whether the brokers no longer know which batches a producer id has written: the
// records are gone, or an election was unclean.
func forgotten(err error) bool {
	var code kafkago.Error
	if !errors.As(err, &code) {
		return false
	}
	switch code {
	case kafkago.OutOfOrderSequenceNumber, kafkago.UnknownProducerId, kafkago.InvalidProducerEpoch, kafkago.InvalidProducerIDMapping:
		return true
	}
	return false
}

// invalidates reports whether the error is about a record, or the size of a batch: the other
// records of the batch may be accepted.
func invalidates(err error) bool {
	var code kafkago.Error
	if !errors.As(err, &code) {
		return errors.Is(err, ErrTooLarge)
	}
	switch code {
	case kafkago.MessageSizeTooLarge, kafkago.RecordListTooLarge, kafkago.InvalidTimestamp, invalidRecord:
		return true
	}
	return false
}

// staleLayout reports whether the error can come from outdated metadata, so that a refresh may
// help.
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
