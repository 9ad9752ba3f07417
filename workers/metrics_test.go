package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/internal/bucket/buckettest"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/observe"
	"github.com/pinflow/pinflow/internal/observe/observetest"
	"github.com/pinflow/pinflow/internal/run"
)

// endedRun is a run in which every metric of runs has something to count.
func endedRun() run.Status {
	start := time.Date(2022, 10, 19, 0, 0, 0, 0, time.UTC)
	try := run.Try{Number: 1, State: run.Success, Started: start, Queued: start, Granted: start.Add(20 * time.Second), Ended: start.Add(time.Minute)}
	task := func(id string, out run.Outcome) run.Task {
		return run.Task{ID: id, Pool: id, State: run.Success, Started: start, Ended: start.Add(time.Minute), Outcome: out, History: []run.Try{try}}
	}
	status := run.Status{
		DAG: "daily", Date: "2022-10-18", State: run.Success, Trigger: run.Scheduled, Started: start, Ended: start.Add(2 * time.Minute), Warnings: []string{"clean_pin: bad"},
		Tasks: []run.Task{
			task("load", run.Outcome{Counted: true, Rows: 10}),
			task("clean_pin", run.Outcome{Counted: true, Rows: 3, Records: 10, Quarantined: 7}),
			task("query", run.Outcome{Counted: true, Rows: 99, Tables: []run.TableRows{{Table: "answer", Rows: 99}}}),
		},
	}
	kept := task("clean_geo", run.Outcome{Counted: true, Rows: 5, Records: 5})
	kept.Carried = true
	status.Tasks = append(status.Tasks, kept)
	return status
}

func TestMetrics(t *testing.T) {
	metrics, err := observe.NewMetrics()
	require.NoError(t, err)
	gauges, err := metrics.Dates()
	require.NoError(t, err)
	runs, err := metrics.Runs()
	require.NoError(t, err)
	gauges.Checked(t.Context(), "daily", 1, time.Now())
	gauges.Open(t.Context(), "daily", map[run.State]int{run.Running: 1})
	write := &activities.Ledger{Ledger: &ledger.Ledger{Objects: buckettest.New()}, Ended: runs.Ended}
	require.NoError(t, write.WriteLedger(t.Context(), ledger.Entry{Status: endedRun()}))

	t.Run("are_those_of_the_documentation", func(t *testing.T) {
		require.Equal(t, observetest.Documented(t, "../docs/metrics.md", "Worker"), observetest.Exported(t, metrics.Handler()))
	})

	t.Run("count_a_run_and_what_its_tasks_did", func(t *testing.T) {
		w := &watched{metrics: metrics}
		for _, line := range []string{
			`pinflow_runs_total{dag="daily",state="success",trigger="schedule"} 1`,
			`pinflow_warned_runs_total{dag="daily"} 1`,
			`pinflow_run_duration_seconds_sum{dag="daily",state="success"} 120`,
			`pinflow_task_duration_seconds_bucket{dag="daily",state="success",task="load",le="60"} 1`,
			`pinflow_pool_wait_seconds_sum{dag="daily",pool="load"} 20`,
			`pinflow_records_total{dag="daily",task="load"} 10`,
			`pinflow_records_total{dag="daily",task="clean_pin"} 10`,
			`pinflow_quarantined_records_total{dag="daily",task="clean_pin"} 7`,
			`pinflow_quarantined_ratio{dag="daily",task="clean_pin"} 0.7`,
		} {
			require.True(t, w.gauge(t, line), line)
		}
		require.False(t, w.gauge(t, `task="clean_geo"`), "its result is that of an earlier run, which counted it")
		require.False(t, w.gauge(t, `pinflow_records_total{dag="daily",task="query"}`), "rows of answers are no records")
	})
}
