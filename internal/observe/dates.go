package observe

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// Dates are the gauges of the dead-man check, which looks each minute for dates whose run has not ended by its deadline.
//
//	pinflow_overdue_dates{dag}                     how many there are; 0 when all is well
//	pinflow_overdue_check_timestamp_seconds{dag}   when that was last found out
//
// An alert needs three conditions, as a check that is dead reports nothing: dates are overdue, the last check is old, or there is no gauge at
// all, because no worker runs:
//
//	max(pinflow_overdue_dates) > 0
//	time() - max(pinflow_overdue_check_timestamp_seconds) > 600
//	absent(pinflow_overdue_check_timestamp_seconds)
//
// Each worker does the check and they all find the same: hence max, not sum.
type Dates struct {
	overdue metric.Int64Gauge
	checked metric.Float64Gauge
}

// Dates makes the gauges. A DAG has none until it has been checked.
func (m *Metrics) Dates() (*Dates, error) {
	overdue, err := m.Meter().Int64Gauge("pinflow_overdue_dates", metric.WithDescription("Dates whose run has not ended by its deadline."))
	checked, checkedErr := m.Meter().Float64Gauge("pinflow_overdue_check_timestamp_seconds",
		metric.WithDescription("When overdue dates were last looked for with success, as Unix time."))
	if err := errors.Join(err, checkedErr); err != nil {
		return nil, fmt.Errorf("gauges of overdue dates: %w", err)
	}
	return &Dates{overdue, checked}, nil
}

// Checked says that a check has found so many overdue dates of the DAG.
func (d *Dates) Checked(ctx context.Context, dag string, overdue int, at time.Time) {
	of := metric.WithAttributes(attribute.String("dag", dag))
	d.overdue.Record(ctx, int64(overdue), of)
	d.checked.Record(ctx, float64(at.UnixMilli())/1000, of)
}
