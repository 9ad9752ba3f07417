package temporal

import (
	"context"
	"errors"
	"fmt"

	"go.temporal.io/api/serviceerror"
)

// UnreachableError says that Temporal cannot be used from here: it does not answer, or it refuses who is asking.
type UnreachableError struct {
	// Address is the server's, host:port.
	Address string
	// Next says what to do.
	Next string
	// Err is what went wrong.
	Err error
}

func (e *UnreachableError) Error() string {
	return fmt.Sprintf("cannot reach Temporal at %s: %s (%v)", e.Address, e.Next, e.Err)
}

func (e *UnreachableError) Unwrap() error { return e.Err }

// Classify puts an error of this connection into words: *UnreachableError if Temporal cannot be used from here; any other error,
// as that of a workflow, unchanged.
func (c *Connection) Classify(err error) error {
	if err == nil || errors.As(err, new(*UnreachableError)) {
		return err
	}
	unreachable := func(format string, args ...any) error {
		return &UnreachableError{Address: c.Address, Next: fmt.Sprintf(format, args...), Err: err}
	}
	var (
		unavailable *serviceerror.Unavailable
		late        *serviceerror.DeadlineExceeded
		denied      *serviceerror.PermissionDenied
		namespace   *serviceerror.NamespaceNotFound
	)
	switch {
	case errors.As(err, &namespace):
		return unreachable("it has no namespace %q: create it with `temporal operator namespace create -n %s`, or set TEMPORAL_NAMESPACE", c.Namespace, c.Namespace)
	case errors.As(err, &denied):
		return unreachable("it refuses these credentials for namespace %q: check TEMPORAL_API_KEY or the client certificate, and TEMPORAL_NAMESPACE", c.Namespace)
	case errors.As(err, &unavailable), errors.As(err, &late), errors.Is(err, context.DeadlineExceeded):
		return unreachable("is the stack up? start it with `make stack`, or set TEMPORAL_ADDRESS")
	}
	return err
}
