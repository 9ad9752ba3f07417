package launch

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/run"
)

func TestPriority_BackfillStandsBehind(t *testing.T) {
	require.Greater(t, Priority(run.Backfill).PriorityKey, Priority(run.Scheduled).PriorityKey)
	require.Equal(t, Priority(run.Scheduled), Priority(run.Manual))
}
