package bench

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/launch"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows/operators"
)

const (
	elsewhereDAG  = "elsewhere" // each task is a notebook that works elsewhere, in a pool of one slot
	elsewhereName = "Elsewhere"
	// notebookTime is the time of a notebook: a tenth of the 20 s that one takes on Databricks, where
	// starting it takes most of them. What Pinflow adds is not shortened.
	notebookTime = 2 * time.Second
	shortened    = 10
	// airflowRuns is the default of Airflow's max_active_runs_per_dag.
	airflowRuns = 16
	// stages is the number of notebooks that a date waits for, one after the other: three of its five
	// work at the same time.
	stages = 3
)

// elsewhere is an operator that does several dates at once in notebookTime, with the machine idle.
type elsewhere struct{}

func (elsewhere) Effects() dag.Effects { return dag.Effects{Together: true} }

func (elsewhere) GoesTogether(operators.TaskInstance) bool { return true }

func (e elsewhere) Run(ctx workflow.Context, try operators.TaskInstance) (run.Outcome, error) {
	outs, err := e.RunTogether(ctx, []operators.TaskInstance{try})
	return outs[0], err
}

func (elsewhere) RunTogether(ctx workflow.Context, tries []operators.TaskInstance) ([]run.Outcome, error) {
	options := noopOptions
	options.Summary = fmt.Sprintf("%s of %d dates", tries[0].Task, len(tries))
	outs := make([]run.Outcome, len(tries))
	var number int64
	err := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, options), elsewhereName).Get(ctx, &number)
	for i := range outs {
		outs[i].JobRunID = number
	}
	return outs, err
}

var notebookRuns atomic.Int64

// workElsewhere is the activity of elsewhere. It returns the number of the notebook run.
func workElsewhere(context.Context) (int64, error) {
	time.Sleep(notebookTime)
	return notebookRuns.Add(1), nil
}

// BenchmarkGroups backfills a year of dates whose notebooks take their time on another machine, and
// compares the number of notebook runs and the time with those without groups, and with the
// arithmetic of Airflow: 16 runs at a time, each of which takes its notebooks' time and nothing
// else.
func BenchmarkGroups(b *testing.B) {
	const year, few = 365, 10
	w := newWorld(b)
	for b.Loop() {
		to := dates.Of(time.Now()).Add(-1)
		airflow := time.Duration(year) * stages * notebookTime / airflowRuns
		alone := w.backfill(b, to.Add(1-few), to, few, 1)
		alone.wall = alone.wall * year / few
		alone.notebooks = year * len(shape)
		results.add("", "a year, each date alone (from 10 dates): notebook runs, time, against Airflow's arithmetic", "%s", alone.compared(airflow))
		to = to.Add(-few)
		for _, width := range []struct{ parallel, batch int }{{64, 64}, {run.MaxBatch, run.MaxBatch}, {year, run.MaxBatch}} {
			found := w.backfill(b, to.Add(1-year), to, width.parallel, width.batch)
			name := fmt.Sprintf("a year, --parallel %d --batch %d: notebook runs, time, against Airflow's arithmetic", width.parallel, width.batch)
			results.add("≤ 60", name, "%s", found.compared(airflow))
			b.ReportMetric(float64(found.notebooks), fmt.Sprintf("runs/%d", width.parallel))
			to = to.Add(-year)
		}
	}
	b.ReportMetric(0, "ns/op")
}

// backfilled is what a backfill with notebooks took.
type backfilled struct {
	notebooks int
	wall      time.Duration
}

func (f backfilled) compared(airflow time.Duration) string {
	return fmt.Sprintf("%d, %.0f s (notebooks of 20 s ÷ %d), %.1f × as fast", f.notebooks, f.wall.Seconds(), shortened, airflow.Seconds()/f.wall.Seconds())
}

func (w world) backfill(b *testing.B, from, to dates.Date, parallel, batch int) (found backfilled) {
	b.Helper()
	in := run.RangeInput{DAG: elsewhereDAG, From: from, To: to, Parallel: parallel, Batch: batch, Trigger: run.Backfill}
	began := time.Now()
	started, err := w.ExecuteWorkflow(b.Context(), launch.RangeOptions(run.DefaultDeployment, in), run.RangeWorkflow, in)
	require.NoError(b, err)
	require.NoError(b, started.Get(b.Context(), nil))
	found.wall = time.Since(began)
	numbers := map[int64]bool{}
	for date := from; date <= to; date = date.Add(1) {
		answer, err := w.QueryWorkflow(b.Context(), run.DefaultDeployment.WorkflowID(elsewhereDAG, date), "", run.StatusQuery)
		require.NoError(b, err)
		var status run.Status
		require.NoError(b, answer.Get(&status))
		for _, task := range status.Tasks {
			numbers[task.JobRunID] = true
		}
	}
	found.notebooks = len(numbers)
	return found
}
