package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/converter"

	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/starter/startertest"
)

// warned is a world in which the run of 2022-10-18 succeeded, and all records of a topic were
// quarantined.
func warned(t *testing.T) (w *world, queries *[]string) {
	w, queries = newWorld(), new([]string)
	clean := startertest.Loaded()
	clean.Outcome = run.Outcome{Counted: true, Records: 5, Quarantined: 5}
	clean.Warnings = []string{"5 of 5 records quarantined, 100.0 %, more than 50 %"}
	status := startertest.RunOf(run.Success, startertest.Loaded(), clean, startertest.Loaded(), startertest.Loaded(), startertest.Loaded())
	status.Warnings = status.TaskWarnings()
	require.True(t, status.Warned())
	w.record(t, ledger.Entry{Status: status})
	w.temporal.list = func(query string) ([]*workflowpb.WorkflowExecutionInfo, error) {
		if strings.Contains(query, "Range") || strings.Contains(query, "'Running'") {
			return nil, nil
		}
		row := listed(t, "2022-10-18", enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, run.Success, false)
		row.Execution.RunId = status.RunID
		payload, err := converter.GetDefaultDataConverter().ToPayload(true)
		require.NoError(t, err)
		row.SearchAttributes.IndexedFields["PinflowWarned"] = payload
		*queries = append(*queries, query)
		return []*workflowpb.WorkflowExecutionInfo{row}, nil
	}
	return w, queries
}

func TestWarned(t *testing.T) {
	t.Setenv("COLUMNS", "100")
	t.Run("runs_show_their_mark_in_every_view", func(t *testing.T) {
		for line, want := range map[string][]string{
			"status 2022-10-18":                      {"pipeline of 2022-10-18: success ! (manual", `clean_pin +success ! +1 +2022-10-19 12:00:00 +12\.0s +0\n`, "\nclean_pin: ! 5 of 5 records quarantined, 100.0 %, more than 50 %\n"},
			"runs":                                   {`2022-10-18 +success ! +schedule`, "\n! warned: see `starter status <date>`\n"},
			"grid --from 2022-10-18 --to 2022-10-18": {`\nrun +!\n`, `\nclean_pin +!\n`, `! warned: success with warnings`},
			"calendar --year 2022":                   {`! 1 warned`, `\nwarned:\n  2022-10-18\n`},
			"gantt 2022-10-18":                       {`success !`, `\nclean_pin +! `, `! warned: success with warnings`},
			"status":                                 {"\nWARNED: 1 date\n2022-10-18  !  clean_pin: 5 of 5 records quarantined, 100.0 %, more than 50 %\n"},
			"graph 2022-10-18":                       {`clean_pin +! success`},
		} {
			t.Run(line, func(t *testing.T) {
				w, _ := warned(t)
				code, stdout, stderr := w.line(t, line)
				require.Zero(t, code, "a warned run has succeeded: %s", stderr)
				for _, pattern := range want {
					if !strings.Contains(stdout, pattern) {
						require.Regexp(t, pattern, stdout)
					}
				}
			})
		}
	})

	t.Run("a_run_shows_its_report_or_why_there_is_none", func(t *testing.T) {
		w := newWorld()
		status := startertest.RunOf(run.Success, startertest.Loaded(), startertest.Loaded(), startertest.Loaded(), startertest.Loaded(), startertest.Loaded())
		status.Report = "s3://pinflow/pinflow/reports/pipeline/2022-10-18.html"
		w.record(t, ledger.Entry{Status: status})
		_, stdout, _ := w.line(t, "status 2022-10-18")
		require.Contains(t, stdout, "\nreport: s3://pinflow/pinflow/reports/pipeline/2022-10-18.html\n")

		w, status.Report = newWorld(), ""
		status.Warnings = []string{"the report was not written: no SQL warehouse"}
		w.record(t, ledger.Entry{Status: status})
		code, stdout, _ := w.line(t, "status 2022-10-18")
		require.Zero(t, code)
		require.Contains(t, stdout, "\n! the report was not written: no SQL warehouse\n")
		require.NotContains(t, stdout, "report:")
	})

	t.Run("runs_are_found", func(t *testing.T) {
		w, queries := warned(t)
		code, stdout, stderr := w.line(t, "runs --warned -o json")
		require.Zero(t, code, stderr)
		require.Contains(t, stdout, `"warned": true`)
		require.Contains(t, (*queries)[0], " AND PinflowWarned = true")
	})
}
