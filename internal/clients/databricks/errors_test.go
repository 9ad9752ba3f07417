package databricks

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"syscall"
	"testing"

	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/config"
	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/clients/fault"
)

func TestClassify(t *testing.T) {
	t.Setenv("DATABRICKS_HOST", "https://workspace")
	refused := &url.Error{Op: "Post", URL: "http://127.0.0.1:1/x", Err: &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}}
	for name, row := range map[string]struct {
		err  error
		kind fault.Kind
		says []string
	}{
		"down":        {fmt.Errorf("table x: %w", refused), fault.Unreachable, []string{"Databricks at https://workspace", "make stack", "connection refused"}},
		"late":        {context.DeadlineExceeded, fault.Unreachable, []string{"DATABRICKS_HOST"}},
		"fails":       {&apierr.APIError{StatusCode: 500, Message: "oops"}, fault.Unreachable, []string{"status 500", "try again later", "(oops)"}},
		"busy":        {&apierr.APIError{StatusCode: 429}, fault.Unreachable, []string{"Databricks"}},
		"no token":    {&apierr.APIError{StatusCode: 401}, fault.Unauthenticated, []string{"DATABRICKS_TOKEN"}},
		"token":       {&apierr.APIError{StatusCode: 403}, fault.Unauthorized, []string{"DATABRICKS_TOKEN"}},
		"settings":    {fmt.Errorf("default auth: %w", config.ErrCannotConfigureDefault), fault.Unset, []string{"set DATABRICKS_HOST and DATABRICKS_TOKEN"}},
		"request":     {&apierr.APIError{StatusCode: 400, Message: "w1 is not a valid endpoint id."}, fault.Invalid, []string{"w1 is not a valid endpoint id"}},
		"a statement": {errors.New("[PARSE_SYNTAX_ERROR]"), fault.Unknown, nil},
		"none":        {nil, fault.Unknown, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got := Classify(row.err)
			require.Equal(t, row.kind, fault.KindOf(got))
			if row.says == nil {
				require.Equal(t, row.err, got)
				return
			}
			require.ErrorIs(t, got, row.err)
			for _, want := range row.says {
				require.ErrorContains(t, got, want)
			}
			require.Equal(t, got, Classify(got), "an error is put into words once")
		})
	}
}

func TestClassifyErrors(t *testing.T) {
	t.Parallel()
	t.Run("what_is_missing_is_not_unreachable", func(t *testing.T) {
		t.Parallel()
		for _, err := range []error{
			&apierr.APIError{StatusCode: 404, ErrorCode: "RESOURCE_DOES_NOT_EXIST", Message: "query doesn't exist."}, &apierr.APIError{StatusCode: 404},
		} {
			got := Classify(err)
			require.False(t, fault.Unusable(got))
			require.ErrorIs(t, got, err)
		}
	})
}
