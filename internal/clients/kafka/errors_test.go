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
)

func TestClassify_OnlyABrokersAnswerIsFinal(t *testing.T) {
	for _, c := range []struct {
		err   error
		fault Fault
		stale bool // new metadata may mend it
	}{
		{nil, FaultNone, true},
		{io.EOF, FaultTransient, true},
		{syscall.ECONNREFUSED, FaultTransient, true},
		{context.DeadlineExceeded, FaultTransient, true},
		{protocol.NewErrNoTopic("t"), FaultTransient, true},
		{ErrUnreachable, FaultTransient, true},
		{kafkago.NotLeaderForPartition, FaultTransient, true},
		{kafkago.UnknownTopicOrPartition, FaultTransient, true},
		{kafkago.BrokerNotAvailable, FaultTransient, true},
		{kafkago.ReplicaNotAvailable, FaultTransient, true},
		{kafkago.RequestTimedOut, FaultTransient, false},
		{kafkago.NotEnoughReplicas, FaultTransient, false},
		{kafkago.NotEnoughReplicasAfterAppend, FaultTransient, false},
		{kafkago.MessageSizeTooLarge, FaultRecord, false},
		{invalidRecord, FaultRecord, false},
		{ErrTooLarge, FaultRecord, true},
		{kafkago.SASLAuthenticationFailed, FaultAuthentication, false},
		{kafkago.TopicAuthorizationFailed, FaultAuthorization, false},
		{kafkago.PolicyViolation, FaultPermanent, false},
		{kafkago.InvalidTopic, FaultPermanent, false},
		{kafkago.Unknown, FaultPermanent, false},
	} {
		require.Equal(t, c.fault, Classify(c.err), "%v", c.err)
		if c.err == nil {
			continue
		}
		require.Equal(t, c.fault, Classify(fmt.Errorf("produce: %w", errors.Join(c.err))), "%v, wrapped", c.err)
		require.Equal(t, c.stale, staleLayout(c.err), "%v", c.err)
	}
}

func TestNewProducer_NeedsBrokers(t *testing.T) {
	_, err := NewProducer(ProducerConfig{})
	require.ErrorContains(t, err, "PINFLOW_KAFKA_BROKERS")
}
