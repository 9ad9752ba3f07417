package failure

import (
	"errors"
	"fmt"

	"go.temporal.io/sdk/temporal"
)

// Reason is the text of an error that came over Temporal as its writer wrote it, without the layers that carried it.
func Reason(err error) string {
	for layer := err; layer != nil; layer = errors.Unwrap(layer) {
		switch e := layer.(type) { //nolint:errorlint // each layer is looked at by itself: the outermost that a person wrote counts
		case *temporal.ApplicationError:
			return e.Message()
		case *temporal.TimeoutError:
			if last := errors.Unwrap(e); last != nil {
				return fmt.Sprintf("not done in time (%s); the last attempt: %s", e.TimeoutType(), Reason(last))
			}
			return fmt.Sprintf("not done in time (%s): %s", e.TimeoutType(), e.Message())
		case *temporal.CanceledError:
			return "cancelled"
		case *temporal.TerminatedError:
			return "terminated"
		}
	}
	return err.Error()
}
