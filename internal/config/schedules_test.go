package config

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSchedules(t *testing.T) {
	for text, want := range map[string]Schedules{
		"":                          {},
		" ; ":                       {},
		"daily=0 0 * * *":           {"daily": "0 0 * * *"},
		"a=30 2 * * *; b=0 3 * * 1": {"a": "30 2 * * *", "b": "0 3 * * 1"},
	} {
		t.Run("reads "+text, func(t *testing.T) {
			var got Schedules
			require.NoError(t, got.UnmarshalText([]byte(text)))
			require.Equal(t, want, got)
		})
	}
	for _, text := range []string{"0 0 * * *", "daily=", "=0 0 * * *", "a=0 0 * * *;a=0 1 * * *"} {
		t.Run("rejects "+text, func(t *testing.T) {
			require.Error(t, new(Schedules).UnmarshalText([]byte(text)))
		})
	}
}
