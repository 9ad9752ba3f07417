package dag

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/run"
)

func TestFailedAbove(t *testing.T) {
	t.Run("names_what_failed_first", func(t *testing.T) {
		d := DAG{{ID: "load"}, {ID: "pin", After: Tasks{"load"}}, {ID: "geo", After: Tasks{"load"}}, {ID: "join", After: Tasks{"pin", "geo"}}, {ID: "query", After: Tasks{"join"}}}
		states := map[string]run.State{"load": run.Success, "pin": run.Success, "geo": run.Failed, "join": run.UpstreamFailed, "query": run.UpstreamFailed}
		above := func(id string) Tasks { return d.FailedAbove(id, func(id string) run.State { return states[id] }) }
		require.Equal(t, Tasks{"geo"}, above("query"))
		require.Equal(t, Tasks{"geo"}, above("join"))
		require.Empty(t, above("geo"))
		states["join"] = run.Success
		require.Equal(t, Tasks{"geo"}, above("query"), "a rule may have absorbed the failure in between")
	})
}
