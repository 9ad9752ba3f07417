package ledger

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/run"
)

func TestDecide(t *testing.T) {
	t.Run("is_the_table_of_reprocessing", func(t *testing.T) {
		until := day.Start().Add(12 * time.Hour)
		success := &Entry{Status: run.Status{State: run.Success}}
		failed := &Entry{Status: run.Status{State: run.Failed}}
		cancelled := &Entry{Status: run.Status{State: run.Cancelled}}
		partial := &Entry{Status: run.Status{State: run.Success, Partial: true, Until: until}}
		for _, c := range []struct {
			entry     *Entry
			reprocess run.Reprocess
			want      Decision
		}{
			{nil, run.ReprocessNone, Decision{State: run.None, Run: true, Why: "has not run yet", FailedOnly: true}},
			{nil, run.ReprocessFailed, Decision{State: run.None, Run: true, Why: "has not run yet", FailedOnly: true}},
			{nil, run.ReprocessAll, Decision{State: run.None, Run: true, Why: "has not run yet"}},
			{success, run.ReprocessNone, Decision{State: run.Success, Why: "has already run"}},
			{success, run.ReprocessFailed, Decision{State: run.Success, Why: "has already run"}},
			{success, run.ReprocessAll, Decision{State: run.Success, Run: true, Why: "success; all dates run again"}},
			{failed, run.ReprocessNone, Decision{State: run.Failed, Why: "has failed; --reprocess failed runs it again"}},
			{failed, run.ReprocessFailed, Decision{State: run.Failed, Run: true, Why: "failed; failed dates run again", FailedOnly: true}},
			{failed, run.ReprocessAll, Decision{State: run.Failed, Run: true, Why: "failed; all dates run again"}},
			{cancelled, run.ReprocessNone, Decision{State: run.Cancelled, Why: "was cancelled; --reprocess failed runs it again"}},
			{cancelled, run.ReprocessFailed, Decision{State: run.Cancelled, Run: true, Why: "cancelled; counts as failed, and failed dates run again", FailedOnly: true}},
			{cancelled, run.ReprocessAll, Decision{State: run.Cancelled, Run: true, Why: "cancelled; all dates run again"}},
			{partial, run.ReprocessNone, Decision{State: Partial, Run: true, Why: "was seen only up to 2022-10-18 12:00:00 UTC"}},
			{partial, run.ReprocessFailed, Decision{State: Partial, Run: true, Why: "was seen only up to 2022-10-18 12:00:00 UTC"}},
			{partial, run.ReprocessAll, Decision{State: Partial, Run: true, Why: "was seen only up to 2022-10-18 12:00:00 UTC"}},
		} {
			c.want.Date = day
			require.Equal(t, c.want, Decide(day, c.entry, c.reprocess))
		}
	})
}
