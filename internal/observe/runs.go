package observe

import (
	"context"
	"errors"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/pinflow/pinflow/internal/run"
)

// durations are the upper bounds of the histograms of runs, tasks and waits, in seconds: from a task
// without work to a run of a day.
var durations = []float64{1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400, 28800, 86400}

// Runs holds the metrics of runs that have ended. docs/metrics.md lists them. Each run is recorded by
// the worker that wrote its ledger entry, so that sums over workers count each run once.
type Runs struct {
	runs, warned         metric.Int64Counter
	run, task, wait      metric.Float64Histogram
	records, quarantined metric.Int64Counter
	ratio                metric.Float64Gauge
}

// Runs returns the metrics of runs. None has a value before the first run has ended.
func (m *Metrics) Runs() (*Runs, error) {
	meter, errs := m.Meter(), make([]error, 8)
	seconds := func(name, about string) (metric.Float64Histogram, error) {
		return meter.Float64Histogram(name, metric.WithUnit("s"), metric.WithDescription(about), metric.WithExplicitBucketBoundaries(durations...))
	}
	r := &Runs{}
	r.runs, errs[0] = meter.Int64Counter("pinflow_runs", metric.WithDescription("Runs that have ended, by state."))
	r.warned, errs[1] = meter.Int64Counter("pinflow_warned_runs", metric.WithDescription("Runs that have succeeded with warnings."))
	r.run, errs[2] = seconds("pinflow_run_duration", "Time from the start of a run to its end.")
	r.task, errs[3] = seconds("pinflow_task_duration", "Time from the start of a task to its end, with all tries and waits.")
	r.wait, errs[4] = seconds("pinflow_pool_wait", "Time for which a try waited for a slot of its pool.")
	r.records, errs[5] = meter.Int64Counter("pinflow_records", metric.WithDescription("Records that tasks have landed or read to clean them."))
	r.quarantined, errs[6] = meter.Int64Counter("pinflow_quarantined_records", metric.WithDescription("Records that cleaning has rejected."))
	r.ratio, errs[7] = meter.Float64Gauge("pinflow_quarantined_ratio", metric.WithDescription("Share of the records that cleaning rejected in the last run, 0 to 1."))
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("metrics of runs: %w", err)
	}
	return r, nil
}

// Ended records a run that has ended. Results that the run kept from an earlier one are not its own.
func (r *Runs) Ended(ctx context.Context, status run.Status) {
	dag := label("dag", status.DAG)
	with := func(more ...attribute.KeyValue) metric.MeasurementOption {
		return metric.WithAttributes(append([]attribute.KeyValue{dag}, more...)...)
	}
	state := label("state", string(status.State))
	r.runs.Add(ctx, 1, with(state, label("trigger", string(status.Trigger))))
	r.run.Record(ctx, status.Ended.Sub(status.Started).Seconds(), with(state))
	if status.Warned() {
		r.warned.Add(ctx, 1, with())
	}
	for _, task := range status.Tasks {
		if !task.Carried {
			r.ended(ctx, status, task, with)
		}
	}
}

// ended records a task of a run that has ended.
func (r *Runs) ended(ctx context.Context, status run.Status, task run.Task, with func(...attribute.KeyValue) metric.MeasurementOption) {
	id := label("task", task.ID)
	if !task.Started.IsZero() && !task.Ended.IsZero() {
		r.task.Record(ctx, task.Ended.Sub(task.Started).Seconds(), with(id, label("state", string(task.State))))
	}
	for _, try := range task.History {
		if !try.Queued.IsZero() && !try.Granted.IsZero() && !try.Started.Before(status.Started) { // not of an earlier run
			r.wait.Record(ctx, try.Granted.Sub(try.Queued).Seconds(), with(label("pool", task.Pool)))
		}
	}
	if !task.Counted || task.State != run.Success {
		return
	}
	if task.Records == 0 && task.Quarantined == 0 { // it landed, or rebuilt tables
		if len(task.Tables) == 0 {
			r.records.Add(ctx, task.Rows, with(id))
		}
		return
	}
	r.records.Add(ctx, task.Records, with(id))
	r.quarantined.Add(ctx, task.Quarantined, with(id))
	r.ratio.Record(ctx, min(1, float64(task.Quarantined)/float64(max(task.Records, 1))), with(id))
}
