package landing

import (
	"context"

	"github.com/pinflow/pinflow/internal/clients/kafka"
	"github.com/pinflow/pinflow/internal/clients/s3"
	"github.com/pinflow/pinflow/internal/failure"
)

// kafkaError returns the error of an activity for an error of Kafka; see failure.Of.
func kafkaError(ctx context.Context, doing string, err error) error {
	return failure.Of(ctx, doing, kafka.Classify(err))
}

// s3Error returns the error of an activity for an error of S3; see failure.Of.
func s3Error(ctx context.Context, doing string, err error) error {
	return failure.Of(ctx, doing, s3.Classify(err))
}
