package failure

import (
	"errors"
	"fmt"

	"go.temporal.io/sdk/temporal"
)

// Reason returns the text of an error as its author wrote it, without the layers that Temporal put
// around it.
func Reason(err error) string {
	for layer := err; layer != nil; layer = errors.Unwrap(layer) {
		switch e := layer.(type) { //nolint:errorlint // the outermost layer with a text of its own counts
		case *temporal.ApplicationError:
			return e.Message()
		case *temporal.TimeoutError:
			if last := errors.Unwrap(e); last != nil {
				return fmt.Sprintf("timed out (%s); the last attempt: %s", e.TimeoutType(), Reason(last))
			}
			return fmt.Sprintf("timed out (%s): %s", e.TimeoutType(), e.Message())
		case *temporal.CanceledError:
			return "cancelled"
		case *temporal.TerminatedError:
			return "terminated"
		}
	}
	return err.Error()
}
