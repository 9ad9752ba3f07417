package workflows

import (
	"sync"

	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows/operators"
	"github.com/pinflow/pinflow/workflows/pools"
)

// Registry registers workflows; workers, replayers and test environments satisfy it.
type Registry interface {
	RegisterWorkflowWithOptions(w any, options workflow.RegisterOptions)
}

// Register registers all workflows for the DAGs of a catalog, whose operators have names in the
// codec. Workers, replays and tests share it, so that they cannot differ.
//
// With Worker Versioning a run is pinned: it ends on the build that has started it. Ranges and the
// Pools workflow move on to the current build with their next task: a range lives for as long as its
// backfill, and the pools serve the runs of all builds.
func Register(registry Registry, catalog dag.Catalog, codec operators.Codec) {
	w := Workflows{Catalog: catalog, Operators: codec, tables: &sync.Map{}}
	registry.RegisterWorkflowWithOptions(w.Run, workflow.RegisterOptions{Name: run.RunWorkflow, VersioningBehavior: workflow.VersioningBehaviorPinned})
	registry.RegisterWorkflowWithOptions(w.Range, workflow.RegisterOptions{Name: run.RangeWorkflow, VersioningBehavior: workflow.VersioningBehaviorAutoUpgrade})
	p := pools.Workflow{Operators: codec}
	// The SDK also knows each by the name of its function: no two may share one, whatever their names here.
	registry.RegisterWorkflowWithOptions(p.Pools, workflow.RegisterOptions{Name: run.PoolsWorkflow, VersioningBehavior: workflow.VersioningBehaviorAutoUpgrade})
}

// Workflows holds the workflows that interpret the DAGs of a catalog.
type Workflows struct {
	Catalog   dag.Catalog
	Operators operators.Codec

	tables *sync.Map // *readTable by its JSON
}
