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

func TestCheckRerun(t *testing.T) {
	d := DAG{{ID: "load"}, {ID: "pin", After: Tasks{"load"}}, {ID: "geo", After: Tasks{"load"}}, {ID: "query", After: Tasks{"pin", "geo"}}, {ID: "report", After: Tasks{"query"}, TriggerRule: AllDone}}
	states := map[string]run.State{"load": run.Success, "pin": run.Success, "geo": run.Failed, "query": run.UpstreamFailed, "report": run.Success}
	check := func(again ...string) error {
		return d.CheckRerun(again, func(id string) run.State { return states[id] }, func(options string) string { return "rerun " + options })
	}
	t.Run("names_the_parents_and_the_command_that_runs_them_too", func(t *testing.T) {
		require.EqualError(t, check("query"), "task query cannot run again without its parents: geo is failed; run them again as well with `rerun --from geo`")
		require.EqualError(t, check("query", "report"), check("query").Error())
	})

	t.Run("accepts_what_may_run", func(t *testing.T) {
		require.NoError(t, check("geo", "query"))
		require.NoError(t, check("report"), "its rule does not ask for success")
		require.NoError(t, check("geo"))
	})

	t.Run("looks_above_the_parents", func(t *testing.T) {
		d := append(d, Task{ID: "mail", After: Tasks{"query"}})
		err := d.CheckRerun(Tasks{"mail"}, func(id string) run.State { return states[id] }, func(options string) string { return options })
		require.EqualError(t, err, "task mail cannot run again without its parents: query is upstream_failed; run them again as well with `--from geo`")
	})
}
