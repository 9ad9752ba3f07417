package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/starter/exit"
	"github.com/pinflow/pinflow/starter/startertest"
)

// A Schedule that was applied with --cron, of a DAG without one in its definition and the settings.
func TestScheduleWithoutSettings(t *testing.T) {
	t.Parallel()
	w := newWorld()
	definition := startertest.Pipeline
	definition.Schedule.Cron = ""
	w.catalog = dag.NewCatalog(definition)
	code, _, stderr := w.starter(t, "schedule", "apply", "--cron", "0 5 * * *")
	require.Zero(t, code, stderr)
	require.Contains(t, stderr, "set PINFLOW_SCHEDULES")

	t.Run("is_shown_paused_and_resumed", func(t *testing.T) {
		for _, line := range []string{"schedule show", "schedule pause", "schedule resume", "status"} {
			code, stdout, stderr := w.line(t, line)
			require.Zero(t, code, "%s: %s%s", line, stdout, stderr)
		}
	})

	t.Run("is_a_finding_of_the_doctor", func(t *testing.T) {
		code, stdout, _ := w.line(t, "doctor")
		require.Equal(t, exit.Failed, code)
		require.Regexp(t, `FAIL .*schedule +pipeline has a Schedule, but neither its definition nor PINFLOW_SCHEDULES`, stdout)
	})
}
