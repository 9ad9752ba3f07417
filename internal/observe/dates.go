package observe

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/metric"

	"github.com/pinflow/pinflow/internal/run"
)

// Dates holds the gauges of the dead-man check, which looks for overdue dates each minute.
//
//	pinflow_overdue_dates{dag}                     how many dates are overdue
//	pinflow_overdue_check_timestamp_seconds{dag}   when the last successful check was
//	pinflow_open_runs{dag,state}                   how many runs are running, held, blocked
//
// An alert needs three conditions, because a check that does not run reports nothing: a date is
// overdue, the last check is old, or the gauge is absent because no worker runs:
//
//	max(pinflow_overdue_dates) > 0
//	time() - max(pinflow_overdue_check_timestamp_seconds) > 600
//	absent(pinflow_overdue_check_timestamp_seconds)
//
// All workers run the check with the same result, hence max and not sum.
type Dates struct {
	overdue metric.Int64Gauge
	checked metric.Float64Gauge
	open    metric.Int64Gauge
}

// Dates returns the gauges. A DAG has none before its first check.
func (m *Metrics) Dates() (*Dates, error) {
	overdue, err := m.Meter().Int64Gauge("pinflow_overdue_dates", metric.WithDescription("Dates whose run has not ended by its deadline."))
	checked, checkedErr := m.Meter().Float64Gauge("pinflow_overdue_check_timestamp_seconds",
		metric.WithDescription("When overdue dates were last looked for with success, as Unix time."))
	open, openErr := m.Meter().Int64Gauge("pinflow_open_runs", metric.WithDescription("Open runs by state: running, held, blocked."))
	if err := errors.Join(err, checkedErr, openErr); err != nil {
		return nil, fmt.Errorf("gauges of overdue dates: %w", err)
	}
	return &Dates{overdue, checked, open}, nil
}

// Open records how many runs of a DAG are open, by state.
func (d *Dates) Open(ctx context.Context, dag string, states map[run.State]int) {
	for state, n := range states {
		d.open.Record(ctx, int64(n), metric.WithAttributes(label("dag", dag), label("state", string(state))))
	}
}

// Checked records that a check has found that many overdue dates of a DAG.
func (d *Dates) Checked(ctx context.Context, dag string, overdue int, at time.Time) {
	of := metric.WithAttributes(label("dag", dag))
	d.overdue.Record(ctx, int64(overdue), of)
	d.checked.Record(ctx, float64(at.UnixMilli())/1000, of)
}
