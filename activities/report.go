package activities

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pinflow/pinflow/internal/answers"
	"github.com/pinflow/pinflow/internal/bucket"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/report"
	"github.com/pinflow/pinflow/internal/run"
)

// WriteReportInput selects what a report tells.
type WriteReportInput struct {
	Scope report.Scope `json:"scope"`
	// Run is the run that has rebuilt the tables.
	Run run.Status `json:"run"`
}

// WrittenReport is where a report is.
type WrittenReport struct {
	URI string `json:"uri"`
}

// Reports writes reports of the answers into the bucket.
type Reports struct {
	Objects bucket.Objects
	// Warehouse is nil if none is configured: then no report can be written.
	Warehouse *answers.Warehouse
	Topics    run.Topics
}

// ReportKey returns the key of the report of a date: that of its latest run.
func ReportKey(dag string, date dates.Date) string {
	return fmt.Sprintf("reports/%s/%s.html", dag, date)
}

// WriteReport writes the report of a run. A run of the same date writes it again. It is not retried
// without tables.
func (r *Reports) WriteReport(ctx context.Context, in WriteReportInput) (WrittenReport, error) {
	if _, err := dates.Parse(string(in.Run.Date)); err != nil || in.Scope.DAG == "" {
		return WrittenReport{}, failure.NonRetryable(failure.InvalidInput, err, "a report needs a DAG and a date, not %q and %q", in.Scope.DAG, in.Run.Date)
	}
	if r.Warehouse == nil {
		return WrittenReport{}, failure.NonRetryable(failure.InvalidInput, nil, "a report needs a SQL warehouse: set PINFLOW_WAREHOUSE_ID on the worker")
	}
	source := report.Source{Warehouse: r.Warehouse, Topics: r.Topics, Runs: []run.Status{in.Run}, Now: time.Now()}
	found, err := report.Read(ctx, source, in.Scope)
	if errors.Is(err, answers.ErrMissing) {
		return WrittenReport{}, failure.NonRetryable(failure.InvalidInput, err, "read the tables of the report: %v", err)
	}
	if err != nil {
		return WrittenReport{}, databricksError(ctx, "read the tables of the report", err)
	}
	var page bytes.Buffer
	if err := found.WriteHTML(&page); err != nil {
		return WrittenReport{}, failure.NonRetryable(failure.InvalidInput, err, "write the report: %v", err)
	}
	key := ReportKey(in.Scope.DAG, in.Run.Date)
	if err := r.Objects.Put(ctx, bucket.PutInput{Key: key, Body: page.Bytes(), ContentType: "text/html; charset=utf-8"}); err != nil {
		return WrittenReport{}, ledgerError(ctx, "write the report", err)
	}
	return WrittenReport{URI: r.Objects.URI(key)}, nil
}
