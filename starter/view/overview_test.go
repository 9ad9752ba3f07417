package view

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/starter/history"
	"github.com/pinflow/pinflow/starter/term"
)

func TestGaps(t *testing.T) {
	t.Parallel()
	t.Run("of_neighbours_are_filled_at_once", func(t *testing.T) {
		t.Parallel()
		require.Empty(t, neighbours(nil))
		all := neighbours([]history.Gap{{Date: "2022-10-01", State: history.GapMissed}, {Date: "2022-10-03", State: history.GapFailed}, {Date: "2022-10-04", State: history.GapSkipped},
			{Date: "2022-10-05", State: history.GapSkipped}, {Date: "2022-10-06", State: history.GapOverdue}, {Date: "2022-10-07", State: history.GapMissed}})
		require.Len(t, all, 1, "one date needs no backfill, and a run in progress none at all")
		require.Equal(t, "backfill --from 2022-10-03 --to 2022-10-05 --reprocess failed", all[0].BackfillArgs())
	})
}

func TestPools(t *testing.T) {
	t.Parallel()
	t.Run("of_a_dag_without_any_are_left_out", func(t *testing.T) {
		t.Parallel()
		var out bytes.Buffer
		v := &View{Term: &term.Term{Out: &out}}
		v.showPools(nil, 80)
		require.Empty(t, out.String())
		v.showPools([]history.PoolNow{{Name: "load", Slots: 1}}, 80)
		require.Contains(t, out.String(), "all idle: load (1)")
	})
}
