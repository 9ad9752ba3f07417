package landing

import (
	"context"

	"github.com/pinflow/pinflow/internal/clients/kafka"
	"github.com/pinflow/pinflow/internal/clients/s3"
	"github.com/pinflow/pinflow/internal/failure"
)

func kafkaError(ctx context.Context, doing string, err error) error {
	return failure.Of(ctx, doing, kafka.Classify(err))
}

func s3Error(ctx context.Context, doing string, err error) error {
	return failure.Of(ctx, doing, s3.Classify(err))
}
