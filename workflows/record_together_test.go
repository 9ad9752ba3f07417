package workflows

import (
	"context"
	"slices"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows/operators"
)

func jointPipeline() dag.Definition {
	d := pooledPipeline()
	d.Name, d.DAG, d.Pools = jointDAG, slices.Clone(d.DAG), nil // the pools are those of the pipeline
	for i := range d.DAG {
		switch op := d.DAG[i].Do.(type) {
		case operators.Load:
			op.Together = true
			d.DAG[i].Do = op
		case operators.Notebook:
			op.Together = true
			d.DAG[i].Do = op
		}
	}
	return d
}

// recordTogether runs twelve dates that go together. One of them fails in a group, and again alone.
func (r *recorder) recordTogether() {
	ctx := context.Background()
	const bad = dates.Date("2022-08-05")
	r.fate = func(in activities.StartNotebookInput) error {
		if in.Task == "clean_geo" && slices.Contains(in.Dates(), bad) {
			return temporal.NewNonRetryableApplicationError(brokenStatement, failure.NotebookFailed, nil)
		}
		return nil
	}
	found := r.startRange(run.RangeInput{DAG: jointDAG, From: "2022-08-01", To: "2022-08-12", Parallel: 12, Batch: 12})
	var result run.RangeResult
	require.Error(r.t, found.Get(ctx, &result))
	good := r.client.GetWorkflow(ctx, run.DefaultDeployment.WorkflowID(jointDAG, "2022-08-06"), "")
	require.NoError(r.t, good.Get(ctx, nil))
	require.NotEmpty(r.t, r.status(good).Tasks[0].Together, "record again: the dates did not meet")
	r.save("together", good.GetID(), "")
	r.save("range-together", found.GetID(), "")
	r.reset()
}
