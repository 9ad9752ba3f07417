package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"
	"testing"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/clients/fault"
)

func TestClassify(t *testing.T) {
	t.Run("only_the_answer_of_a_broker_is_final", func(t *testing.T) {
		for _, c := range []struct {
			err   error
			kind  fault.Kind
			stale bool // whether new metadata can help
		}{
			{nil, fault.Unknown, true},
			{io.EOF, fault.Unreachable, true},
			{syscall.ECONNREFUSED, fault.Unreachable, true},
			{context.DeadlineExceeded, fault.Unreachable, true},
			{protocol.NewErrNoTopic("t"), fault.Unreachable, true},
			{ErrUnreachable, fault.Unreachable, true},
			{kafkago.NotLeaderForPartition, fault.Unreachable, true},
			{kafkago.UnknownTopicOrPartition, fault.Unreachable, true},
			{errors.Join(ErrUnknownTopic, kafkago.UnknownTopicOrPartition), fault.Missing, true},
			{kafkago.BrokerNotAvailable, fault.Unreachable, true},
			{kafkago.ReplicaNotAvailable, fault.Unreachable, true},
			{kafkago.RequestTimedOut, fault.Unreachable, false},
			{kafkago.NotEnoughReplicas, fault.Unreachable, false},
			{kafkago.NotEnoughReplicasAfterAppend, fault.Unreachable, false},
			{kafkago.MessageSizeTooLarge, fault.Invalid, false},
			{invalidRecord, fault.Invalid, false},
			{ErrTooLarge, fault.Invalid, true},
			{kafkago.SASLAuthenticationFailed, fault.Unauthenticated, false},
			{kafkago.TopicAuthorizationFailed, fault.Unauthorized, false},
			{kafkago.PolicyViolation, fault.Invalid, false},
			{kafkago.InvalidTopic, fault.Invalid, false},
			{kafkago.InvalidPartitionNumber, fault.Invalid, false},
			{kafkago.Unknown, fault.Invalid, false},
		} {
			require.Equal(t, c.kind, fault.KindOf(Classify(c.err)), "%v", c.err)
			if c.err == nil {
				continue
			}
			require.Equal(t, c.kind, fault.KindOf(Classify(fmt.Errorf("produce: %w", errors.Join(c.err)))), "%v, wrapped", c.err)
			require.ErrorIs(t, Classify(c.err), c.err)
			require.Equal(t, c.stale, staleLayout(c.err), "%v", c.err)
		}
	})

	t.Run("says_what_to_do", func(t *testing.T) {
		for err, says := range map[error][]string{
			fmt.Errorf("%w: %w", ErrUnreachable, syscall.ECONNREFUSED): {"cannot reach Kafka", "PINFLOW_KAFKA_BROKERS", "connection refused"},
			kafkago.SASLAuthenticationFailed:                           {"rejected the credentials"},
			kafkago.TopicAuthorizationFailed:                           {"denied permission", "ACL"},
			kafkago.UnknownTopicOrPartition:                            {"a Kafka broker does not know the topic"},
			ErrUnknownTopic:                                            {"starter setup"},
		} {
			got := Classify(err)
			for _, want := range says {
				require.ErrorContains(t, got, want)
			}
			require.Equal(t, got, Classify(got), "an error is put into words once")
		}
	})
}

func TestNewProducer(t *testing.T) {
	t.Run("needs_brokers", func(t *testing.T) {
		_, err := NewProducer(ProducerConfig{})
		require.ErrorContains(t, err, "PINFLOW_KAFKA_BROKERS")
	})
}
