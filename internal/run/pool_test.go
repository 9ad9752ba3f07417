package run

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/activities"
)

func TestSlot_IsTheSameWhateverItsPriority(t *testing.T) {
	lower := activities.Wanted
	lower.Priority = 5
	require.True(t, activities.Wanted.Same(lower))
	lower.Try++
	require.False(t, activities.Wanted.Same(lower))
}
