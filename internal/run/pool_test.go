package run

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSlot(t *testing.T) {
	t.Run("is_the_same_whatever_its_priority", func(t *testing.T) {
		slot := Slot{Pool: "query", WorkflowID: "d-2022-10-18", OriginalRunID: "first", Task: "query", Try: 2, Priority: 3}
		other := slot
		other.Priority = 5
		require.True(t, slot.Same(other))
		other.Try++
		require.False(t, slot.Same(other))
	})
}
