package landing

import (
	"context"
	"errors"
	"fmt"

	kafkago "github.com/segmentio/kafka-go"
	"go.temporal.io/sdk/temporal"

	"github.com/pinflow/pinflow/internal/clients/fault"
	"github.com/pinflow/pinflow/internal/clients/kafka"
	"github.com/pinflow/pinflow/internal/clients/s3"
	"github.com/pinflow/pinflow/internal/failure"
)

// kafkaError returns the error of an activity for an error of Kafka; see failure.Of. Landing only reads: a
// rejected read, as of an offset that a new leader does not have yet, may succeed when it is repeated.
func kafkaError(ctx context.Context, doing string, err error) error {
	if errors.As(err, new(*temporal.ApplicationError)) {
		return err // it is the error of an activity already
	}
	classified := kafka.Classify(err)
	if ctx.Err() == nil && fault.KindOf(classified) == fault.Invalid && !errors.Is(err, kafkago.InvalidTopic) {
		return fmt.Errorf("%s; retrying: %w", doing, err)
	}
	return failure.Of(ctx, doing, classified)
}

// s3Error returns the error of an activity for an error of S3; see failure.Of.
func s3Error(ctx context.Context, doing string, err error) error {
	return failure.Of(ctx, doing, s3.Classify(err))
}
