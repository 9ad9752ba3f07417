package run

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWorkerIdentity(t *testing.T) {
	t.Run("has_the_build", func(t *testing.T) {
		require.Equal(t, "0.1.0+abcdef1@host:12", WorkerIdentity("0.1.0+abcdef1", "host", 12))
		require.Equal(t, "0.1.0+abcdef1-dirty.0123456", WorkerBuild(WorkerIdentity("0.1.0+abcdef1-dirty.0123456", "a@b", 12)))
	})

	t.Run("has_none_of_another_program", func(t *testing.T) {
		for _, identity := range []string{"", "12@host@", "temporal-cli:ann@host", "0.1.0+abcdef1"} {
			require.Empty(t, WorkerBuild(identity), identity)
		}
	})
}
