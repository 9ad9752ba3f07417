package temporal

import (
	"context"
	"errors"
	"fmt"

	"go.temporal.io/api/serviceerror"

	"github.com/pinflow/pinflow/internal/clients/fault"
)

// Classify turns an error of this connection into a *fault.Error if Temporal cannot be used from
// here. It returns any other error, as that of a workflow, unchanged.
func (c *Connection) Classify(err error) error {
	if err == nil || fault.KindOf(err) != fault.Unknown {
		return err
	}
	var (
		unavailable *serviceerror.Unavailable
		late        *serviceerror.DeadlineExceeded
		denied      *serviceerror.PermissionDenied
		namespace   *serviceerror.NamespaceNotFound
	)
	switch {
	case errors.As(err, &namespace):
		return &fault.Error{
			Kind: fault.Unset, What: fmt.Sprintf("Temporal at %s has no namespace %q", c.Address, c.Namespace),
			Next: fmt.Sprintf("create it with `temporal operator namespace create -n %s`, or set TEMPORAL_NAMESPACE", c.Namespace), Err: err,
		}
	case errors.As(err, &denied):
		return &fault.Error{
			Kind: fault.Unauthenticated, What: fmt.Sprintf("Temporal at %s rejected the credentials for namespace %q", c.Address, c.Namespace),
			Next: "check TEMPORAL_API_KEY or the client certificate, and TEMPORAL_NAMESPACE", Err: err,
		}
	case errors.As(err, &unavailable), errors.As(err, &late), errors.Is(err, context.DeadlineExceeded):
		return &fault.Error{
			Kind: fault.Unreachable, What: "cannot reach Temporal at " + c.Address,
			Next: "is the stack up? start it with `make stack`, or set TEMPORAL_ADDRESS", Err: err,
		}
	}
	return err
}
