package run

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestIDs(t *testing.T) {
	t.Run("are_distinct_and_stable", func(t *testing.T) {
		require.Equal(t, "d-2022-10-18", WorkflowID("d", "2022-10-18"))
		require.Equal(t, "d-backfill-2022-10-18-2022-10-18", RangeWorkflowID("d", "2022-10-18", "2022-10-18"))
		require.Equal(t, "pool-load", PoolWorkflowID("load"))
		require.Equal(t, "d", ScheduleID("d"))
	})
}

func TestScheduledRangeID(t *testing.T) {
	t.Run("is_the_prefix_and_the_firing", func(t *testing.T) {
		fired := time.Date(2022, 10, 19, 0, 0, 0, 500, time.FixedZone("CEST", 2*60*60))
		require.Equal(t, "d-scheduled-2022-10-18T22:00:00Z", ScheduledRangeID("d", fired))
	})
}
