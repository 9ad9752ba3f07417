package landing

import (
	"errors"
	"testing"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
)

func TestKafkaError(t *testing.T) {
	final := func(err error) bool {
		var typed *temporal.ApplicationError
		return errors.As(kafkaError(t.Context(), "read", err), &typed) && typed.NonRetryable()
	}
	for _, code := range []kafkago.Error{kafkago.Unknown, kafkago.OffsetOutOfRange, kafkago.NotLeaderForPartition, kafkago.UnknownTopicOrPartition} {
		require.False(t, final(code), "%v may pass", code)
	}
	for _, code := range []kafkago.Error{kafkago.InvalidTopic, kafkago.TopicAuthorizationFailed, kafkago.SASLAuthenticationFailed} {
		require.True(t, final(code), "%v does not pass", code)
	}
}
