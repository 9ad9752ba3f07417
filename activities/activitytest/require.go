package activitytest

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
)

// RequireNonRetryable fails the test unless err is of that type, Temporal does not retry it, and
// its message contains the words.
func RequireNonRetryable(t *testing.T, err error, kind string, words ...string) {
	t.Helper()
	var failure *temporal.ApplicationError
	require.ErrorAs(t, err, &failure)
	require.True(t, failure.NonRetryable(), "%v", err)
	require.Equal(t, kind, failure.Type(), "%v", err)
	for _, word := range words {
		require.Contains(t, failure.Message(), word)
	}
}

// RequireRetryable fails the test unless Temporal retries err and its text contains the words.
func RequireRetryable(t *testing.T, err error, words ...string) {
	t.Helper()
	var failure *temporal.ApplicationError
	require.ErrorAs(t, err, &failure)
	require.False(t, failure.NonRetryable(), "%v", err)
	for _, word := range words {
		require.Contains(t, err.Error(), word)
	}
}
