package landing

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/pinflow/pinflow/internal/clients/kafka"
)

const (
	// kafkaAttempts and kafkaPause limit the retries of a request within an attempt of an activity,
	// about six seconds in all. After a change of the leader or a lost connection that is cheaper
	// than another attempt, which starts the current object again.
	kafkaAttempts = 7
	kafkaPause    = 100 * time.Millisecond
)

// warn logs a warning of an activity.
func warn(ctx context.Context, message string, fields ...any) {
	activity.GetLogger(ctx).Warn(message, fields...)
}

// retry makes a request to Kafka until it succeeds, fails for good, or has failed kafkaAttempts
// times. It heartbeats with the detail, and returns the error of an activity; see kafkaError.
func (l *Activities) retry(ctx context.Context, doing string, detail any, request func() error) error {
	pause := kafkaPause
	for attempt := 1; ; attempt++ {
		err := kafkaError(ctx, doing, request())
		var final *temporal.ApplicationError
		// A topic that the metadata lacks is missing, unless its brokers are only just starting.
		starting := errors.Is(err, kafka.ErrUnknownTopic)
		if err == nil || attempt == kafkaAttempts || ctx.Err() != nil || errors.As(err, &final) && !starting {
			return err
		}
		activity.RecordHeartbeat(ctx, detail)
		warn(ctx, "Kafka failed; retrying", "error", err, "attempt", attempt)
		if err := l.clock.Sleep(ctx, pause); err != nil {
			return err
		}
		pause *= 2
	}
}

// partitions returns the number of partitions of a topic. A topic that does not exist is an error
// that Temporal does not retry, after some seconds: until then its brokers may be starting.
func (l *Activities) partitions(ctx context.Context, topic string) (count int, err error) {
	err = l.retry(ctx, "get the partitions of "+topic, nil, func() error {
		count, err = l.Kafka.Partitions(ctx, topic)
		return err
	})
	return count, err
}
