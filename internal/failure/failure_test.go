package failure

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/pinflow/pinflow/internal/clients/fault"
)

func TestOf(t *testing.T) {
	t.Run("only_what_a_retry_can_fix_is_retried", func(t *testing.T) {
		for kind, want := range map[fault.Kind]string{
			fault.Unauthenticated: AccessDenied, fault.Unauthorized: AccessDenied, fault.Missing: Missing,
			fault.Invalid: Settings, fault.Unset: Settings, fault.Unreachable: "", fault.Unknown: "",
		} {
			cause := &fault.Error{Kind: kind, What: "Kafka rejected the credentials", Next: "check them", Err: errors.New("code 58")}
			err := Of(t.Context(), "read topic u.pin", cause)
			require.ErrorIs(t, err, cause.Err)
			var typed *temporal.ApplicationError
			if want == "" {
				require.False(t, errors.As(err, &typed), kind)
				require.EqualError(t, err, "read topic u.pin; retrying: Kafka rejected the credentials: check them (code 58)")
				continue
			}
			require.ErrorAs(t, err, &typed)
			require.True(t, typed.NonRetryable(), kind)
			require.Equal(t, want, typed.Type())
			require.Equal(t, "read topic u.pin: Kafka rejected the credentials: check them (code 58)", typed.Message())
		}
	})

	t.Run("leaves_typed_and_cancelled_errors_alone", func(t *testing.T) {
		require.NoError(t, Of(t.Context(), "x", nil))
		typed := NonRetryable(OffsetsGone, nil, "partition %d", 3)
		require.Equal(t, typed, Of(t.Context(), "x", typed))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		cause := &fault.Error{Kind: fault.Unauthenticated, Err: ctx.Err()}
		require.Equal(t, error(cause), Of(ctx, "x", cause), "a cancelled request proves nothing about the credentials")
	})
}
