package pause

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestFor(t *testing.T) {
	t.Run("waits", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			require.NoError(t, For(t.Context(), time.Hour))
			require.Equal(t, time.Hour, time.Since(began))
			require.NoError(t, For(t.Context(), -time.Hour))
			require.Equal(t, time.Hour, time.Since(began))
		})
	})

	t.Run("ends_with_its_context_and_returns_the_cause", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			why := errors.New("the operator has lost interest")
			time.AfterFunc(time.Minute, func() { cancel(why) })
			began := time.Now()
			require.ErrorIs(t, For(ctx, time.Hour), why)
			require.Equal(t, time.Minute, time.Since(began))
		})
	})
}
