package workflows

import (
	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/run"
)

// Registry is what takes workflows: a worker, a replayer, a test environment.
type Registry interface {
	RegisterWorkflowWithOptions(w any, options workflow.RegisterOptions)
}

// Register registers all workflows with the DAGs of a catalog. Worker, replayer and tests share it, so that they cannot differ.
func Register(registry Registry, catalog dag.Catalog) {
	w := Workflows{catalog}
	registry.RegisterWorkflowWithOptions(w.Run, workflow.RegisterOptions{Name: run.RunWorkflow})
	registry.RegisterWorkflowWithOptions(w.Range, workflow.RegisterOptions{Name: run.RangeWorkflow})
	registry.RegisterWorkflowWithOptions(Pool, workflow.RegisterOptions{Name: run.PoolWorkflow})
}

// Workflows are the workflows over the DAGs of a catalog.
type Workflows struct{ Catalog dag.Catalog }
