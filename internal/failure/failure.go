package failure

import (
	"context"
	"errors"
	"fmt"

	"go.temporal.io/sdk/temporal"

	"github.com/pinflow/pinflow/internal/clients/fault"
)

// NonRetryable returns an error of that type that Temporal does not retry. The message says what
// the reader can do next.
func NonRetryable(kind string, cause error, format string, args ...any) error {
	return temporal.NewNonRetryableApplicationError(fmt.Sprintf(format, args...), kind, cause)
}

// Of returns the error of an activity for an error of a system that the system's client has
// classified. What no retry can fix is not retried; everything else is. Errors that already have a
// type, and those of an activity that was cancelled, are returned unchanged.
func Of(ctx context.Context, doing string, err error) error {
	var typed *temporal.ApplicationError
	if err == nil || errors.As(err, &typed) || ctx.Err() != nil {
		return err
	}
	switch fault.KindOf(err) {
	case fault.Unauthenticated, fault.Unauthorized:
		return NonRetryable(AccessDenied, err, "%s: %v", doing, err)
	case fault.Missing:
		return NonRetryable(Missing, err, "%s: %v", doing, err)
	case fault.Invalid, fault.Unset:
		return NonRetryable(Settings, err, "%s: %v", doing, err)
	}
	return fmt.Errorf("%s; retrying: %w", doing, err)
}
