package activities

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/databricks/databricks-sdk-go/service/sql"
	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/activities/activitytest"
	"github.com/pinflow/pinflow/internal/answers"
	"github.com/pinflow/pinflow/internal/bucket/buckettest"
	"github.com/pinflow/pinflow/internal/report"
	"github.com/pinflow/pinflow/internal/run"
)

// answered answers each statement with the rows of the first key that it contains, or as if the
// table were missing.
type answered struct {
	answers.Statements
	rows map[string][][]string
	err  error
}

func (a answered) ExecuteStatement(_ context.Context, r sql.ExecuteStatementRequest) (*sql.StatementResponse, error) {
	for part, rows := range a.rows {
		if strings.Contains(r.Statement, part) {
			return &sql.StatementResponse{
				Status:   &sql.StatementStatus{State: sql.StatementStateSucceeded},
				Manifest: &sql.ResultManifest{TotalRowCount: int64(len(rows))}, Result: &sql.ResultData{DataArray: rows},
			}, a.err
		}
	}
	return &sql.StatementResponse{Status: &sql.StatementStatus{State: sql.StatementStateFailed, Error: &sql.ServiceError{Message: "[TABLE_OR_VIEW_NOT_FOUND]"}}}, a.err
}

func TestWriteReport(t *testing.T) {
	rows := map[string][][]string{
		"users_joined_by_year": {{"2015", "206"}, {"2016", "364"}},
		"pin_quarantine":       {{"follower_count", "18"}, {"", "1326"}},
	}
	in := WriteReportInput{
		Scope: report.Scope{DAG: "d", Deployment: "dev", Makers: []report.Maker{{Task: "query", Tables: []string{"users_joined_by_year"}}}, Cleaned: []string{"pin"}},
		Run:   run.Status{Date: day, RunID: "run-1", WorkflowID: "dev.d.2022-10-18", Tasks: []run.Task{{ID: "query", State: run.Success, Ended: day.End(), Outcome: run.Outcome{NotebookHash: "cafe"}}}},
	}
	reports := func(statements answers.Statements, objects *buckettest.Memory) *Reports {
		return &Reports{Objects: objects, Warehouse: &answers.Warehouse{Statements: statements, ID: "w", Schema: "s"}, Topics: run.Topics{UserID: "u"}}
	}

	t.Run("writes_the_page_of_the_run", func(t *testing.T) {
		objects := buckettest.New()
		for range 2 { // a retry, or another run of the date, writes it again
			written, err := activitytest.Execute[WrittenReport](reports(answered{rows: rows}, objects).WriteReport, in)
			require.NoError(t, err)
			require.Equal(t, objects.URI("reports/d/2022-10-18.html"), written.URI)
		}
		body, err := objects.Get(t.Context(), "reports/d/2022-10-18.html")
		require.NoError(t, err)
		for _, text := range []string{"<!doctype html>", "run-1", "cafe", ">364<", "1.4 %"} {
			require.Contains(t, string(body), text)
		}
		head, err := objects.Head(t.Context(), "reports/d/2022-10-18.html")
		require.NoError(t, err)
		require.Equal(t, "text/html; charset=utf-8", head.ContentType, "a browser shows it")
	})

	t.Run("says_why_it_cannot", func(t *testing.T) {
		for name, row := range map[string]struct {
			reports *Reports
			in      WriteReportInput
			want    string
		}{
			"without a warehouse": {&Reports{}, in, "PINFLOW_WAREHOUSE_ID"},
			"without tables":      {reports(answered{}, buckettest.New()), in, "no answers yet"},
			"refused":             {reports(answered{rows: rows, err: errors.New("no connection")}, buckettest.New()), in, "no connection"},
			"without a date":      {reports(answered{rows: rows}, buckettest.New()), WriteReportInput{Scope: in.Scope}, "needs a DAG and a date"},
		} {
			t.Run(name, func(t *testing.T) {
				_, err := activitytest.Execute[WrittenReport](row.reports.WriteReport, row.in)
				require.ErrorContains(t, err, row.want)
			})
		}
	})
}
