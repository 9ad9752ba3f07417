package workflows

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows/operators"
)

// behaviors records the versioning behavior of each workflow that is registered.
type behaviors map[string]workflow.VersioningBehavior

func (b behaviors) RegisterWorkflowWithOptions(_ any, options workflow.RegisterOptions) {
	b[options.Name] = options.VersioningBehavior
}

func TestRegister(t *testing.T) {
	t.Run("runs_are_pinned_and_all_other_workflows_move_on", func(t *testing.T) {
		all := behaviors{}
		Register(all, recorded(), operators.Default)
		require.Contains(t, all, run.RangeWorkflow)
		for name, behavior := range all {
			want := workflow.VersioningBehaviorAutoUpgrade
			if name == run.RunWorkflow {
				want = workflow.VersioningBehaviorPinned
			}
			require.Equal(t, want, behavior, name)
		}
	})
}
