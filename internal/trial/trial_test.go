package trial

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/databricks/databricks-sdk-go/service/sql"
	"github.com/databricks/databricks-sdk-go/service/workspace"
	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/answers"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/notebooks"
)

// fake is a workspace that records what happens to it, in its order.
type fake struct {
	answers.Statements
	log      []string
	tables   [][]string // of the real schema
	states   []jobs.RunLifeCycleState
	result   jobs.RunResultState
	fail     map[string]error // by the start of what happens
	params   map[string]string
	onGetRun func()
}

func (f *fake) do(what string) error {
	f.log = append(f.log, what)
	if refused := f.refusal(what); refused != "" {
		return errors.New(refused)
	}
	return nil
}

// refusal returns why something fails; empty if it does not.
func (f *fake) refusal(what string) string {
	for start, err := range f.fail {
		if strings.HasPrefix(what, start) {
			return err.Error()
		}
	}
	return ""
}

func (f *fake) ExecuteStatement(_ context.Context, r sql.ExecuteStatementRequest) (*sql.StatementResponse, error) {
	f.log = append(f.log, r.Statement)
	if refused := f.refusal(r.Statement); refused != "" {
		failed := sql.StatementStatus{State: sql.StatementStateFailed, Error: &sql.ServiceError{Message: refused}}
		return &sql.StatementResponse{Status: &failed}, nil
	}
	var rows [][]string
	switch {
	case strings.HasPrefix(r.Statement, "SHOW TABLES"):
		rows = f.tables
	case strings.HasPrefix(r.Statement, "SELECT count"):
		rows = [][]string{{"7"}}
	case strings.HasPrefix(r.Statement, "SELECT reason"):
		rows = [][]string{{"follower_count", "5"}, {"index", "2"}}
	}
	return &sql.StatementResponse{
		Status: &sql.StatementStatus{State: sql.StatementStateSucceeded}, Manifest: &sql.ResultManifest{TotalRowCount: int64(len(rows))}, Result: &sql.ResultData{DataArray: rows},
	}, nil
}

func (f *fake) Import(_ context.Context, r workspace.Import) error {
	return f.do("import " + path.Base(r.Path))
}

func (f *fake) MkdirsByPath(_ context.Context, folder string) error { return f.do("mkdirs " + folder) }

func (f *fake) Delete(_ context.Context, r workspace.Delete) error { return f.do("delete " + r.Path) }

func (f *fake) Submit(_ context.Context, r jobs.SubmitRun) (*jobs.WaitGetRunJobTerminatedOrSkipped[jobs.SubmitRunResponse], error) {
	f.params = r.Tasks[0].NotebookTask.BaseParameters
	return &jobs.WaitGetRunJobTerminatedOrSkipped[jobs.SubmitRunResponse]{RunId: 9}, f.do("submit " + r.RunName)
}

func (f *fake) GetRun(context.Context, jobs.GetRunRequest) (*jobs.Run, error) {
	if f.onGetRun != nil {
		f.onGetRun()
	}
	if err := f.do("get"); err != nil {
		return nil, err
	}
	state := jobs.RunLifeCycleStateTerminated
	if len(f.states) > 0 {
		state, f.states = f.states[0], f.states[1:]
	}
	result := f.result
	if result == "" {
		result = jobs.RunResultStateSuccess
	}
	return &jobs.Run{RunPageUrl: "https://w/9", StartTime: 1000, EndTime: 6000, State: &jobs.RunState{LifeCycleState: state, ResultState: result},
		Tasks: []jobs.RunTask{{RunId: 10, ExecutionDuration: 2000}}}, nil
}

func (f *fake) GetRunOutput(context.Context, jobs.GetRunOutputRequest) (*jobs.RunOutput, error) {
	return &jobs.RunOutput{Error: "[PARSE_SYNTAX_ERROR] near SELCT"}, nil
}

func (f *fake) CancelRun(context.Context, jobs.CancelRun) (*jobs.WaitGetRunJobTerminatedOrSkipped[struct{}], error) {
	return nil, f.do("cancel")
}

func trial(f *fake) Trial {
	at := time.Date(2022, 10, 19, 12, 0, 0, 0x1234, time.UTC)
	return Trial{
		Tree: f, Runs: f, Warehouse: &answers.Warehouse{Statements: f, ID: "w", Schema: "main.pins"}, Folder: "/Shared/pinflow", Name: "pinflow",
		Place: func(*jobs.SubmitTask) {}, Now: func() time.Time { return at }, Log: func(string, ...any) {},
		wait: func(ctx context.Context, _ time.Duration) error { return context.Cause(ctx) },
	}
}

const date = dates.Date("2022-10-18")

var cleaning = notebooks.Notebook{Name: "clean_x", Source: `-- Databricks notebook source
-- DROP TABLE main.pins.x: a comment
USE SCHEMA IDENTIFIER(:schema);
CREATE TABLE IF NOT EXISTS x (ind BIGINT, logical_date DATE) USING DELTA;
CREATE TABLE IF NOT EXISTS x_quarantine (reason STRING, logical_date DATE) USING DELTA;
CREATE OR REPLACE TEMPORARY VIEW records AS SELECT * FROM raw;
INSERT INTO x SELECT ind, logical_date FROM records;
`}

const scratch = "`main`.`pins_try_20221019_120000_1234`"

func TestRun(t *testing.T) {
	t.Run("dry_leaves_the_tables_and_nothing_else", func(t *testing.T) {
		f := &fake{tables: [][]string{{"pins", "raw", "false"}, {"pins", "x", "false"}, {"pins", "x_quarantine", "false"}, {"", "session_view", "true"}}, states: []jobs.RunLifeCycleState{"PENDING", "RUNNING"}}
		result, err := trial(f).Run(t.Context(), Input{Notebook: cleaning, Date: date, Dry: true, Params: map[string]string{"user_id": "u", "schema": "other"}})
		require.NoError(t, err)
		require.Equal(t, []string{
			"SHOW TABLES FROM `main`.`pins`",
			"CREATE SCHEMA " + scratch,
			"CREATE VIEW " + scratch + ".`raw` AS SELECT * FROM `main`.`pins`.`raw`",
			"mkdirs /Shared/pinflow/try_20221019_120000_1234", "import clean_x",
			"submit pinflow try clean_x 2022-10-18", "get", "get", "get",
			"SELECT count(*) FROM " + scratch + ".`x`",
			"SELECT count(*) FROM " + scratch + ".`x_quarantine`",
			"SELECT reason, count(*) AS n FROM " + scratch + ".`x_quarantine` GROUP BY reason ORDER BY n DESC, reason",
			"delete /Shared/pinflow/try_20221019_120000_1234",
			"DROP SCHEMA " + scratch + " CASCADE",
		}, f.log)
		require.Equal(t, map[string]string{"user_id": "u", "schema": "main.pins_try_20221019_120000_1234", "logical_date": "2022-10-18", "logical_dates": "2022-10-18", "run_id": "trial", "notebook_hash": cleaning.Hash()}, f.params)
		require.Equal(t, []run.TableRows{{Table: "x", Rows: 7}, {Table: "x_quarantine", Rows: 7}}, result.Tables)
		require.Equal(t, []Rejected{{"x_quarantine", "follower_count", 5}, {"x_quarantine", "index", 2}}, result.Rejected)
		require.Equal(t, 2*time.Second, result.Took)
		require.Equal(t, 3*time.Second, result.Waited)
		require.Equal(t, cleaning.Hash(), result.Hash)
	})

	t.Run("not_dry_runs_in_the_schema_and_drops_none", func(t *testing.T) {
		f := &fake{}
		result, err := trial(f).Run(t.Context(), Input{Notebook: cleaning, Date: date})
		require.NoError(t, err)
		require.Equal(t, "main.pins", f.params["schema"])
		require.Equal(t, "main.pins", result.Schema)
		require.Contains(t, f.log, "SELECT count(*) FROM `main`.`pins`.`x` WHERE logical_date = DATE'2022-10-18'")
		for _, done := range f.log {
			require.NotContains(t, done, "DROP")
			require.NotContains(t, done, "CREATE")
		}
	})

	// Whatever breaks, the real tables are untouched, and what was created is removed.
	t.Run("removes_what_it_created_whatever_breaks", func(t *testing.T) {
		broken := errors.New("broken")
		for start, wantDrop := range map[string]bool{
			"SHOW TABLES": false, "CREATE SCHEMA": false, "CREATE VIEW": true, "mkdirs": true, "import": true, "submit": true, "get": true, "SELECT count": true, "SELECT reason": true,
		} {
			t.Run(start, func(t *testing.T) {
				f := &fake{tables: [][]string{{"pins", "raw", "false"}}, fail: map[string]error{start: broken}}
				if start == "get" {
					f.onGetRun = func() {
						if len(f.log) > 0 && f.log[len(f.log)-1] == "cancel" {
							f.fail = nil
						}
					}
				}
				_, err := trial(f).Run(t.Context(), Input{Notebook: cleaning, Date: date, Dry: true})
				require.ErrorContains(t, err, "broken")
				last := f.log[len(f.log)-1]
				require.Equal(t, wantDrop, last == "DROP SCHEMA "+scratch+" CASCADE", "%v", f.log)
				for _, done := range f.log {
					require.True(t, !strings.Contains(done, "DROP") || strings.Contains(done, "_try_"), done)
				}
			})
		}
	})

	t.Run("ends_the_run_before_it_drops_the_schema", func(t *testing.T) {
		f := &fake{states: []jobs.RunLifeCycleState{"RUNNING", "RUNNING", "TERMINATING"}}
		ctx, leave := context.WithCancelCause(t.Context())
		f.onGetRun = func() { leave(errors.New("Ctrl-C")) }
		_, err := trial(f).Run(ctx, Input{Notebook: cleaning, Date: date, Dry: true})
		require.ErrorContains(t, err, "Ctrl-C")
		done := strings.Join(f.log, "\n")
		require.Regexp(t, `(?s)submit.*cancel\nget\n.*delete.*DROP SCHEMA `, done)
	})

	t.Run("says_why_the_notebook_failed", func(t *testing.T) {
		f := &fake{result: jobs.RunResultStateFailed}
		_, err := trial(f).Run(t.Context(), Input{Notebook: cleaning, Date: date, Dry: true})
		require.ErrorContains(t, err, "near SELCT")
		require.Contains(t, f.log[len(f.log)-1], "DROP SCHEMA")
	})

	t.Run("says_what_it_could_not_remove", func(t *testing.T) {
		f := &fake{fail: map[string]error{"DROP": errors.New("no right"), "delete": errors.New("away")}}
		_, err := trial(f).Run(t.Context(), Input{Notebook: cleaning, Date: date, Dry: true})
		require.ErrorContains(t, err, "the schema main.pins_try_20221019_120000_1234 is left: drop it")
		require.ErrorContains(t, err, "the folder /Shared/pinflow/try_20221019_120000_1234 is left")
	})
}

func TestCheckDry(t *testing.T) {
	t.Run("takes_the_notebooks_of_this_build", func(t *testing.T) {
		for _, notebook := range notebooks.All() {
			require.NoError(t, checkDry(notebook, "pinterest"))
			require.NoError(t, checkDry(notebook, "main.dev"))
			require.NotEmpty(t, created(notebook.Source), notebook.Name)
		}
	})

	t.Run("refuses_what_could_write_elsewhere", func(t *testing.T) {
		const use = "USE SCHEMA IDENTIFIER(:schema);\n"
		for _, source := range []string{
			"CREATE TABLE x (a INT)",
			"USE SCHEMA pins;\nCREATE TABLE x (a INT)",
			use + "USE other; CREATE TABLE x (a INT)",
			use + "INSERT INTO pins.x SELECT 1",
			use + "INSERT INTO `main`.`pins`.`x` SELECT 1",
			use + "insert overwrite main . other.x select 1",
			use + "MERGE INTO other.x USING y ON true WHEN MATCHED THEN DELETE",
			use + "DELETE FROM other.x",
			use + "UPDATE other.x SET a = 1",
			use + "TRUNCATE TABLE other.x",
			use + "DROP TABLE IF EXISTS other.x",
			use + "DROP VIEW other.x",
			use + "CREATE OR REPLACE TABLE IDENTIFIER('other.x') AS SELECT 1",
			use + "CREATE TABLE delta.`s3://b/x` AS SELECT 1",
			use + "INSERT OVERWRITE DIRECTORY 's3://b/x' SELECT 1",
			use + "SELECT * FROM pins.x",
			use + "DROP SCHEMA other.pins CASCADE",
			use + "SELECT '--'; DROP TABLE other.x",
			use + "SELECT 1; USE other; INSERT INTO x SELECT 1",
			use + "/* now */ USE other; INSERT INTO x SELECT 1",
			use + "SET CATALOG other; INSERT INTO x SELECT 1",
			use + "EXECUTE IMMEDIATE 'DROP TA' || 'BLE x'",
			use + "GRANT SELECT ON other.x TO `all`",
			use + "CALL other.clean()",
			use + "-- COMMAND ----------\n-- MAGIC %python\n-- MAGIC spark.sql('DROP TABLE main.pins.x')",
			use + "-- MAGIC %run ./other",
		} {
			require.Error(t, checkDry(notebooks.Notebook{Name: "n", Source: source}, "main.pins"), source)
		}
	})

	t.Run("finds_what_a_notebook_creates", func(t *testing.T) {
		source := "create table a (x INT);\nCREATE TABLE IF NOT EXISTS `b` (x INT);\nCREATE OR REPLACE VIEW C AS SELECT 1;\n -- CREATE TABLE no (x INT)\nCREATE OR REPLACE TEMPORARY VIEW t AS SELECT 1;\nCREATE TABLE a (y INT)"
		require.Equal(t, []string{"a", "b", "c"}, created(source))
	})

	t.Run("reads_both_forms_of_show_tables", func(t *testing.T) {
		for _, row := range [][]string{{"pins", "raw", "false"}, {"raw"}} {
			name, temporary := tableOf(row)
			require.Equal(t, "raw", name, fmt.Sprint(row))
			require.False(t, temporary)
		}
	})
}
