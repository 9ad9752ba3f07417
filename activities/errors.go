package activities

import (
	"context"
	"errors"

	"github.com/pinflow/pinflow/internal/clients/databricks"
	"github.com/pinflow/pinflow/internal/clients/fault"
	"github.com/pinflow/pinflow/internal/clients/s3"
	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/ledger"
)

// databricksError returns the error of an activity for an error of Databricks; see failure.Of.
func databricksError(ctx context.Context, doing string, err error) error {
	return failure.Of(ctx, doing, databricks.Classify(err))
}

// isPermanent reports whether an error is an answer of Databricks that a repeated request would get
// again.
func isPermanent(err error) bool {
	switch fault.KindOf(databricks.Classify(err)) {
	case fault.Unknown, fault.Unreachable:
		return false
	}
	return true
}

// ledgerError returns the error of an activity for an error of the ledger; see failure.Of.
func ledgerError(ctx context.Context, doing string, err error) error {
	if errors.Is(err, ledger.ErrUnreadable) {
		return failure.NonRetryable(failure.Contradiction, err, "%v", err)
	}
	return failure.Of(ctx, doing, s3.Classify(err))
}
