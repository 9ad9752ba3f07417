package schema_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/databricks/databricks-sdk-go/service/sql"
	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/answers"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/internal/schema"
	"github.com/pinflow/pinflow/notebooks"
)

// fake is a warehouse with tables: their columns, and a topic of their records.
type fake struct {
	answers.Statements
	columns map[string][]string
	topics  map[string]string
	err     map[string]error
}

// right returns a warehouse with the tables of this build.
func right() *fake {
	f := &fake{columns: map[string][]string{}, topics: map[string]string{}, err: map[string]error{}}
	for _, notebook := range notebooks.All() {
		for _, table := range notebook.Tables() {
			f.columns[table.Name] = table.Columns
		}
	}
	return f
}

func (f *fake) ExecuteStatement(_ context.Context, r sql.ExecuteStatementRequest) (*sql.StatementResponse, error) {
	_, after, _ := strings.Cut(r.Statement, " FROM `main`.`pins`.`")
	name, rest, _ := strings.Cut(after, "`")
	columns, ok := f.columns[name]
	if err := f.err[name]; err != nil {
		return nil, err
	}
	if !ok {
		return &sql.StatementResponse{Status: &sql.StatementStatus{
			State: sql.StatementStateFailed, Error: &sql.ServiceError{Message: "[TABLE_OR_VIEW_NOT_FOUND] " + name},
		}}, nil
	}
	response := &sql.StatementResponse{Status: &sql.StatementStatus{State: sql.StatementStateSucceeded}, Manifest: &sql.ResultManifest{Schema: &sql.ResultSchema{}}}
	for _, column := range columns {
		response.Manifest.Schema.Columns = append(response.Manifest.Schema.Columns, sql.ColumnInfo{Name: column})
	}
	if topic := f.topics[name]; topic != "" && strings.HasPrefix(rest, " WHERE topic NOT IN ('") && !strings.Contains(rest, "'"+topic+"'") {
		response.Result, response.Manifest.TotalRowCount = &sql.ResultData{DataArray: [][]string{{topic}}}, 1
	}
	return response, nil
}

func TestCheck(t *testing.T) {
	check := func(t *testing.T, f *fake) error {
		want := schema.Expected{Notebooks: notebooks.All(), Topics: run.Topics{UserID: "ann"}}
		return schema.Check(t.Context(), &answers.Warehouse{Statements: f, ID: "w", Schema: "main.pins"}, want)
	}

	t.Run("finds_nothing_in_an_empty_schema_and_in_one_of_this_build", func(t *testing.T) {
		f := right()
		f.topics["pin_by_date"] = "ann.pin"
		f.topics["geo_by_date"] = "Pinterest_data"
		require.NoError(t, check(t, f))
		f.columns["geo"] = append([]string{"IND"}, f.columns["geo"][1:]...)
		require.NoError(t, check(t, f), "names of columns have no case")
		clear(f.columns)
		require.NoError(t, check(t, f))
	})

	t.Run("says_how_to_drop_tables_of_another_build", func(t *testing.T) {
		f := right()
		f.columns["raw"] = f.columns["raw"][:len(f.columns["raw"])-1]
		f.columns["geo"] = append([]string{"old"}, f.columns["geo"][1:]...)
		f.columns["users_joined_by_year"] = []string{"number_users_joined", "post_year"}
		err := check(t, f)
		for _, words := range []string{
			"schema main.pins has columns of another build", "raw lacks elements", "geo lacks ind, and also has old", "users_joined_by_year has them in another order",
			"DROP VIEW `main`.`pins`.`geo`; DROP TABLE `main`.`pins`.`raw`; DROP TABLE `main`.`pins`.`users_joined_by_year`", "starter backfill --from",
		} {
			require.ErrorContains(t, err, words)
		}
	})

	t.Run("finds_another_user_id", func(t *testing.T) {
		f := right()
		f.topics["user_by_date"] = "bob.user"
		err := check(t, f)
		require.ErrorContains(t, err, "user_by_date of schema main.pins has records of topic bob.user, and here PINFLOW_USER_ID and PINFLOW_POSTS_TOPIC make it ann.user or Pinterest_data")
		require.ErrorContains(t, err, "PINFLOW_SCHEMA")
	})

	t.Run("reports_what_cannot_be_asked", func(t *testing.T) {
		f := right()
		f.err["geo"] = errors.New("connection refused")
		require.ErrorContains(t, check(t, f), "connection refused")
		f.columns["geo_by_date"] = f.columns["geo_by_date"][1:]
		require.ErrorContains(t, check(t, f), "geo_by_date lacks logical_date", "a view cannot be read whose table has other columns")
	})
}
