package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/databricks/databricks-sdk-go/service/sql"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/starter/exit"
	"github.com/pinflow/pinflow/starter/history"
	"github.com/pinflow/pinflow/starter/startertest"
)

const report = "report"

// several is a world of two DAGs.
func several() *world {
	w := newWorld()
	w.catalog = startertest.Several
	return w
}

// reported is the ledger entry of a run of the second DAG.
func reported() ledger.Entry {
	return ledger.Entry{Attempt: 1, Status: run.Status{
		DAG: report, Date: "2022-10-18", State: run.Success, Trigger: run.Scheduled, WorkflowID: "pinflow.report.2022-10-18", RunID: "of-report",
		Started: at(0), Ended: at(60), Tasks: []run.Task{
			{ID: "collect", State: run.Success, Tries: 1, Started: at(0), Ended: at(30)},
			{ID: "sum", State: run.Success, Tries: 1, Started: at(30), Ended: at(60)},
		},
	}}
}

func TestSeveralDAGs(t *testing.T) {
	t.Parallel()
	t.Run("a_command_about_one_dag_needs_its_name", func(t *testing.T) {
		t.Parallel()
		for _, line := range []string{
			"run", "backfill --from 2022-10-01 --to 2022-10-02", "backfill show", "rerun 2022-10-18 --failed",
			"schedule show", "schedule apply", "schedule pause", "schedule resume", "schedule next", "schedule delete --yes",
			"status", "status 2022-10-18", "runs", "graph", "grid", "gantt 2022-10-18", "calendar", "logs 2022-10-18", "diff 2022-10-17 2022-10-18",
			"task retry 2022-10-18 load --reason x", "pause 2022-10-18", "resume 2022-10-18", "cancel 2022-10-18", "note 2022-10-18",
			"answers", "why users_joined_by_year 2022-10-18",
		} {
			w := several()
			code, stdout, stderr := w.line(t, line)
			require.Equal(t, exit.Usage, code, line)
			require.Empty(t, stdout, line)
			require.Contains(t, stderr, "--dag", line)
			require.Contains(t, stderr, "pipeline, report", line)
			require.Empty(t, w.touched, line)
		}
	})
	t.Run("an_unknown_name_is_rejected_with_those_that_exist", func(t *testing.T) {
		t.Parallel()
		for _, line := range []string{"run --dag nonsense", "graph --dag nonsense", "status --dag nonsense", "demo --dag nonsense"} {
			w := several()
			code, stdout, stderr := w.line(t, line)
			require.Equal(t, exit.Usage, code, line)
			require.Empty(t, stdout, line)
			for _, want := range []string{"--dag", `no DAG "nonsense"`, "pipeline, report"} {
				require.Contains(t, stderr, want, line)
			}
			require.Empty(t, w.touched, line)
		}
	})
	t.Run("commands_about_all_dags_reject_a_name", func(t *testing.T) {
		t.Parallel()
		for _, line := range []string{"setup", "doctor", "dags list", "dags check", "notebooks diff", "notebooks push", "emulate", "version"} {
			w := several()
			code, stdout, stderr := w.line(t, line+" --dag pipeline")
			require.Equal(t, exit.Usage, code, line)
			require.Empty(t, stdout, line)
			require.Contains(t, stderr, "--dag", line)
			require.Contains(t, stderr, "all DAGs", line)
			require.Empty(t, w.touched, line)
		}
	})
	t.Run("the_name_selects_a_dag", func(t *testing.T) {
		t.Parallel()
		w := several()
		w.starts(nil)
		code, stdout, stderr := w.line(t, "run 2022-10-18 --dag report")
		require.Zero(t, code, stderr)
		require.Equal(t, []any{run.Input{DAG: report, Date: "2022-10-18", Trigger: run.Manual, Params: map[string]string{}, TriggeredBy: "ann@desk"}}, w.temporal.started)
		require.Contains(t, w.temporal.executions, "pinflow.report.2022-10-18")
		require.Contains(t, stdout, "`starter status 2022-10-18 --watch --dag report`", "hints name the DAG, too")

		_, stdout, _ = w.line(t, "graph --dag report")
		require.Equal(t, startertest.Report.DAG.Text(nil), stdout)
		code, _, stderr = w.line(t, "run --dag report --param invalid_followers=null")
		require.Equal(t, exit.Usage, code, "that is a parameter of the other DAG")
		require.Contains(t, stderr, "invalid_followers")
		code, _, stderr = w.line(t, "rerun 2022-10-18 --dag report --only clean_pin")
		require.Equal(t, exit.Usage, code)
		require.Contains(t, stderr, "collect, sum")
		_, stdout, _ = w.line(t, "__complete rerun 2022-10-18 --dag report --only c")
		require.Contains(t, stdout, "collect")
		require.NotContains(t, stdout, "clean_pin")
		_, stdout, _ = w.line(t, "__complete run --dag r")
		require.Contains(t, stdout, report)
	})
	t.Run("each_dag_has_its_own_ledger", func(t *testing.T) {
		t.Parallel()
		w := several()
		w.record(t, recorded("2022-10-18", run.Manual, 60), reported())
		w.visible(t)
		runs := func(dag string) string {
			w.bucket.FailBefore(func(request, key string) error {
				require.True(t, strings.HasPrefix(key, "runs/"+dag+"/"), "%s %s", request, key)
				return nil
			})
			code, stdout, stderr := w.line(t, "grid -o json --dag "+dag)
			require.Zero(t, code, stderr)
			var printed struct {
				DAG  string
				Runs []history.Run
			}
			require.NoError(t, json.Unmarshal([]byte(stdout), &printed))
			require.Equal(t, dag, printed.DAG)
			require.Len(t, printed.Runs, 1)
			return printed.Runs[0].RunID
		}
		require.Equal(t, "run-2022-10-18", runs(pipeline))
		require.Equal(t, "of-report", runs(report))
	})
	t.Run("notes_are_those_of_the_dag", func(t *testing.T) {
		t.Parallel()
		w := several()
		code, _, stderr := w.starter(t, "note", "2022-10-18", "late", "--dag", report)
		require.Zero(t, code, stderr)
		_, stdout, _ := w.line(t, "note 2022-10-18 --dag report")
		require.Contains(t, stdout, "late")
		_, stdout, _ = w.line(t, "note 2022-10-18 --dag pipeline")
		require.NotContains(t, stdout, "late")
	})
	t.Run("status_shows_the_pools_of_the_dag", func(t *testing.T) {
		t.Parallel()
		_, stdout, _ := several().line(t, "status --dag report")
		require.Contains(t, stdout, "all idle: sums (2)\n")
	})
}

func TestSeveralDAGsSeveralDags(t *testing.T) {
	t.Parallel()
	t.Run("setup", func(t *testing.T) {
		t.Parallel()
		w := several()
		code, stdout, stderr := w.line(t, "setup")
		require.Zero(t, code, stderr)
		require.Contains(t, stdout, "pinflow.pipeline, 0 0 * * * (UTC)")
		require.Contains(t, stdout, "pinflow.report, 30 4 * * * (UTC)")
		require.Len(t, w.temporal.schedules, 2)
		for name, hour := range map[string]int{pipeline: 0, report: 4} {
			s := w.temporal.schedules[run.DefaultDeployment.ScheduleID(name)]
			require.Equal(t, []client.ScheduleRange{{Start: hour, End: hour, Step: 1}}, s.Spec.Calendars[0].Hour, name)
			require.Equal(t, run.DefaultDeployment.ScheduledRangePrefix(name), s.Action.(*client.ScheduleWorkflowAction).ID)
		}
		w.temporal.info.NextActionTimes = []time.Time{noon}
		code, stdout, stderr = w.line(t, "doctor")
		require.Zero(t, code, stdout+stderr)
		require.Contains(t, stdout, "pipeline fires next at")
		require.Contains(t, stdout, "report fires next at")

		w.settings.Schedules = map[string]string{report: "0 6 * * *"}
		code, stdout, stderr = w.line(t, "doctor")
		require.Equal(t, exit.Failed, code, stderr)
		require.Regexp(t, `FAIL .*schedule +pinflow.report differs`, stdout)
		require.NotRegexp(t, `FAIL .*schedule +pinflow.pipeline`, stdout)
		_, stdout, _ = w.line(t, "setup")
		require.Regexp(t, `schedule +unchanged +pinflow.pipeline`, stdout)
		require.Regexp(t, `schedule +changed +pinflow.report, 0 6 `, stdout)
		_, stdout, _ = w.line(t, "dags list")
		require.Regexp(t, `pipeline .* 0 0 \* \* \*`, stdout)
		require.Regexp(t, `report +collect, sum +0 6 \* \* \*`, stdout, "as the settings say")

		code, _, stderr = w.line(t, "schedule delete --yes --dag report")
		require.Zero(t, code, stderr)
		require.NotNil(t, w.schedule(), "the other Schedule remains")
	})

	t.Run("setup_leaves_out_adag_without_a_schedule", func(t *testing.T) {
		t.Parallel()
		w := several()
		w.catalog.DAGs = append(w.catalog.DAGs[:1:1], startertest.Report)
		w.catalog.DAGs[1].Schedule.Cron = ""
		code, _, stderr := w.line(t, "setup")
		require.Zero(t, code, stderr)
		require.Len(t, w.temporal.schedules, 1)
		code, _, stderr = w.line(t, "schedule apply --dag report")
		require.Equal(t, exit.Usage, code)
		require.Contains(t, stderr, "report has no schedule")
		code, _, stderr = w.starter(t, "schedule", "apply", "--dag", report, "--cron", "0 5 * * *")
		require.Zero(t, code, stderr)
		require.Len(t, w.temporal.schedules, 2)
	})

	t.Run("answers", func(t *testing.T) {
		t.Parallel()
		unknown := func() *world {
			w := several()
			w.sql.columns = []sql.ColumnInfo{{Name: "week", TypeName: sql.ColumnInfoTypeNameString}, {Name: "posts", TypeName: sql.ColumnInfoTypeNameLong}}
			w.sql.results["FROM `pinterest`.`posts_by_week`"] = [][]string{{"2022-W42", "9"}, {"2022-W41", "120"}}
			return w
		}
		t.Run("a_table_that_is_not_known_has_its_own_columns", func(t *testing.T) {
			t.Parallel()
			w := unknown()
			code, stdout, stderr := w.line(t, "answers posts_by_week --dag report -o csv")
			require.Zero(t, code, stderr)
			require.Equal(t, "week,posts\n2022-W41,120\n2022-W42,9\n", stdout)
			require.Equal(t, []string{"SELECT * FROM `pinterest`.`posts_by_week`"}, w.sql.asked)
			_, stdout, _ = w.line(t, "answers --dag report")
			require.Contains(t, stdout, "posts_by_week\nWEEK       POSTS\n")
			_, stdout, _ = w.line(t, "answers posts_by_week --dag report -o json")
			require.JSONEq(t, `{"name":"posts_by_week","columns":["week","posts"],"rows":[["2022-W41",120],["2022-W42",9]]}`, stdout)
		})
		t.Run("tables_are_those_of_the_dag", func(t *testing.T) {
			t.Parallel()
			for line, tables := range map[string]string{
				"answers users_joined_by_year --dag report":            "posts_by_week",
				"answers posts_by_week --dag pipeline":                 "users_joined_by_year",
				"why users_joined_by_year 2022-10-18 --dag report":     "posts_by_week",
				"why posts_by_week 2022-10-18 --dag pipeline":          "users_joined_by_year",
				"why posts_by_week 2022-10-18 -o json --dag pipeline ": "users_joined_by_year",
			} {
				w := unknown()
				code, stdout, stderr := w.line(t, line)
				require.Equal(t, exit.Usage, code, line)
				require.Empty(t, stdout)
				require.Contains(t, stderr, tables, line)
				require.Empty(t, w.touched)
			}
			_, stdout, _ := unknown().line(t, "__complete answers --dag report p")
			require.Contains(t, stdout, "posts_by_week")
			require.NotContains(t, stdout, "users_joined_by_year")
		})
		t.Run("why_reads_the_ledger_of_the_dag", func(t *testing.T) {
			t.Parallel()
			w := unknown()
			w.record(t, reported())
			code, stdout, stderr := w.line(t, "why posts_by_week 2022-10-18 --dag report -o json")
			require.Zero(t, code, stderr)
			var l history.Lineage
			require.NoError(t, json.Unmarshal([]byte(stdout), &l))
			require.Equal(t, "of-report", l.RunID)
		})
		t.Run("a_dag_without_tables_says_how_to_have_some", func(t *testing.T) {
			t.Parallel()
			w := several()
			w.catalog.DAGs = append(w.catalog.DAGs[:1:1], startertest.Report)
			w.catalog.DAGs[1].DAG = startertest.Report.DAG[:1]
			for _, line := range []string{"answers --dag report", "answers x --dag report", "answers -o csv --dag report", "answers -o json --dag report"} {
				code, _, stderr := w.line(t, line)
				require.Equal(t, exit.Usage, code, line)
				require.Contains(t, stderr, "Rebuilds", line)
			}
		})
	})

	// A pool that no task of the DAG uses is none of its status, also if it is busy.
	t.Run("status_of_one_dag_leaves_out_the_other", func(t *testing.T) {
		t.Parallel()
		w := several()
		w.open(run.DefaultDeployment.PoolsID(), run.PoolsState{Work: []run.Work{working("load", "2022-10-07", 1)}})
		_, stdout, _ := w.line(t, "status --dag report")
		require.NotContains(t, stdout, "load")
	})
}

func TestNoDAG(t *testing.T) {
	t.Parallel()
	t.Run("is_an_error", func(t *testing.T) {
		t.Parallel()
		w := newWorld()
		w.catalog.DAGs = nil
		code, _, stderr := w.line(t, "run")
		require.NotZero(t, code)
		require.Contains(t, stderr, "has no DAG")
		require.Empty(t, w.touched)
	})
}
