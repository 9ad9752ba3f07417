package run

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOnFailure(t *testing.T) {
	t.Run("limits", func(t *testing.T) {
		for text, want := range map[string]int{"": 0, "continue": 0, "stop": 1, "max=1": 1, "max=12": 12} {
			f, err := ParseOnFailure(text)
			require.NoError(t, err)
			require.Equal(t, want, f.Limit(), text)
		}
		for _, wrong := range []string{"max", "max=", "max=-1", "max=0", "max=two", "halt"} {
			_, err := ParseOnFailure(wrong)
			require.ErrorContains(t, err, wrong)
		}
	})
}
