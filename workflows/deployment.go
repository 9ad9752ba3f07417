package workflows

import (
	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/internal/run"
)

// deployment returns the deployment of the workflow: that of its task queue, which children and
// resets inherit. It is not part of the input, so that a run that is started from the Web UI needs
// a DAG and a date only.
func deployment(ctx workflow.Context) run.Deployment {
	return run.Deployment(workflow.GetInfo(ctx).TaskQueueName)
}
