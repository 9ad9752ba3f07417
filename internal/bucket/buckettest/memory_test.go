package buckettest

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/bucket"
)

func TestMemory(t *testing.T) {
	t.Run("keeps_the_contract", func(t *testing.T) {
		Contract(t, func(*testing.T) bucket.Objects { return New() })
	})

	t.Run("hooks_fail_requests_before_or_after_their_effect", func(t *testing.T) {
		m, lost := New(), errors.New("connection reset")
		put := func(key string) error { return m.Put(t.Context(), bucket.PutInput{Key: key, Body: []byte("x")}) }
		var requests []string
		fail := func(request, key string) error {
			requests = append(requests, request+" "+key)
			if request == "put" {
				return lost
			}
			return nil
		}
		m.FailBefore(fail)
		require.ErrorIs(t, put("a"), lost)
		require.Empty(t, m.Keys(""))
		m.FailBefore(nil)
		m.FailAfter(fail)
		require.ErrorIs(t, put("b"), lost)
		require.Equal(t, []string{"b"}, m.Keys(""))
		require.Equal(t, "x", string(m.Body("b")))
		_, err := m.List(t.Context(), bucket.ListInput{Prefix: "c"})
		require.NoError(t, err)
		require.Equal(t, []string{"put a", "put b", "list c"}, requests)
		m.Delete("b")
		require.Empty(t, m.Keys(""))
		require.Nil(t, m.Body("b"))
	})
}
