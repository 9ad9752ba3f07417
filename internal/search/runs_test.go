package search

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/run"
)

func TestFilter(t *testing.T) {
	const runsOf = "TaskQueue = 'dev' AND WorkflowType = 'Run' AND PinflowDag = 'daily'"
	for name, c := range map[string]struct {
		filter Filter
		want   string
	}{
		"runs": {Filter{}, runsOf},
		// The date is the start of a day: a comparison with the start of the last date would leave
		// that date out on SQLite, where times are texts.
		"the last date is included": {Filter{From: "2022-10-01", To: "2022-10-18"},
			runsOf + " AND PinflowDate >= '2022-10-01T00:00:00Z' AND PinflowDate < '2022-10-19T00:00:00Z'"},
		"ranges": {Filter{Type: run.RangeWorkflow, NotTrigger: run.Scheduled, Open: true},
			"TaskQueue = 'dev' AND WorkflowType = 'Range' AND PinflowDag = 'daily' AND PinflowTrigger != 'schedule' AND ExecutionStatus = 'Running'"},
		// A terminated run still has the state that it recorded last.
		"running":                {Filter{State: run.Running}, runsOf + " AND PinflowState = 'running' AND ExecutionStatus = 'Running'"},
		"held":                   {Filter{State: run.Held, Open: true}, runsOf + " AND PinflowState = 'held' AND ExecutionStatus = 'Running'"},
		"blocked, or not":        {Filter{State: run.Blocked}, runsOf + " AND ExecutionStatus = 'Running'"},
		"success":                {Filter{State: run.Success}, runsOf + " AND ExecutionStatus = 'Completed'"},
		"failed":                 {Filter{State: run.Failed}, runsOf + " AND ExecutionStatus = 'Failed'"},
		"cancelled":              {Filter{State: run.Cancelled}, runsOf + " AND ExecutionStatus = 'Canceled'"},
		"terminated":             {Filter{State: Terminated}, runsOf + " AND ExecutionStatus = 'Terminated'"},
		"timed out":              {Filter{State: TimedOut}, runsOf + " AND ExecutionStatus = 'TimedOut'"},
		"a tag, with its quotes": {Filter{Tag: "it's"}, runsOf + ` AND PinflowTags = 'it\'s'`},
	} {
		t.Run(name, func(t *testing.T) {
			c.filter.Deployment, c.filter.DAG = "dev", "daily"
			require.Equal(t, c.want, c.filter.Query())
		})
	}
}
