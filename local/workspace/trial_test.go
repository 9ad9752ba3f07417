package workspace

import (
	"regexp"
	"testing"
	"time"

	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/databricks/databricks-sdk-go/service/workspace"
	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/answers"
	"github.com/pinflow/pinflow/internal/trial"
	"github.com/pinflow/pinflow/notebooks"
)

// A trial with the real notebook on the real engine.
func TestTrial(t *testing.T) {
	t.Parallel()
	w := serve(t, Options{MemoryLimit: "512MB", Threads: 1, S3: S3Options{Endpoint: "127.0.0.1:1"}})
	warehouse := &answers.Warehouse{Statements: w.statements, ID: testWarehouse, Schema: "pins"}
	query := func(statement string) [][]string {
		t.Helper()
		rows, err := warehouse.Query(t.Context(), statement)
		require.NoError(t, err, statement)
		return rows
	}
	notebook := func(name string) notebooks.Notebook {
		t.Helper()
		for _, n := range notebooks.All() {
			if n.Name == name {
				return n
			}
		}
		t.Fatalf("no notebook %s", name)
		return notebooks.Notebook{}
	}
	raw := regexp.MustCompile(`(?s)CREATE TABLE IF NOT EXISTS raw (\(.*?\) USING DELTA)`).FindStringSubmatch(notebook("load").Source)
	require.NotNil(t, raw)
	query("CREATE SCHEMA `pins`")
	query("CREATE TABLE `pins`.`raw` " + raw[1])
	pin := func(followers string) string {
		return `{"index":"` + followers[:1] + `","unique_id":"a1b2c3d4-0000-1111-2222-333344445555","title":"t","follower_count":"` + followers + `","category":"art"}`
	}
	query("INSERT INTO `pins`.`raw` (logical_date, topic, topic_partition, topic_offset, topic_timestamp, file, value, is_json) VALUES " +
		"(DATE'2022-10-18', 'u.pin', 0, 0, 1, 'f', '" + pin("1k") + "', true), (DATE'2022-10-18', 'u.pin', 0, 1, 2, 'f', '" + pin("2 many") + "', true)")

	try := trial.Trial{
		Tree: w.tree, Runs: w.jobs, Warehouse: warehouse, Folder: "/Shared/pinflow", Name: "test", Place: func(*jobs.SubmitTask) {}, Now: time.Now, Log: t.Logf,
	}
	in := trial.Input{Notebook: notebook("clean_pin"), Date: "2022-10-18", Dry: true, Params: map[string]string{"user_id": "u", "posts_topic": "posts", "invalid_followers": "quarantine", "raw_path": "s3://b"}}
	rows := func(result trial.Result, table string) int64 {
		for _, counted := range result.Tables {
			if counted.Table == table {
				return counted.Rows
			}
		}
		return -1
	}
	leftNothing := func(t *testing.T, tables [][]string) {
		t.Helper()
		require.Equal(t, tables, query("SHOW TABLES FROM `pins`"))
		require.Empty(t, query("SELECT schema_name FROM information_schema.schemata WHERE schema_name LIKE '%try%'"))
		left, err := w.tree.ListAll(t.Context(), workspace.ListWorkspaceRequest{Path: "/Shared/pinflow"})
		require.NoError(t, err)
		require.Empty(t, left)
	}

	t.Run("dry_before_the_first_run", func(t *testing.T) {
		before := query("SHOW TABLES FROM `pins`")
		result, err := try.Run(t.Context(), in)
		require.NoError(t, err)
		require.EqualValues(t, 1, rows(result, "pin"))
		require.EqualValues(t, 1, rows(result, "pin_quarantine"))
		require.Equal(t, []trial.Rejected{{Table: "pin_quarantine", Reason: "follower_count", Records: 1}}, result.Rejected)
		leftNothing(t, before)
	})

	t.Run("dry_beside_tables_that_are_there", func(t *testing.T) {
		really := in
		really.Dry = false
		_, err := try.Run(t.Context(), really)
		require.NoError(t, err)
		before, content := query("SHOW TABLES FROM `pins`"), query("SELECT * FROM `pins`.`pin` ORDER BY ALL")
		require.Len(t, content, 1)
		kept := in
		kept.Params = map[string]string{"user_id": "u", "posts_topic": "posts", "invalid_followers": "null", "raw_path": "s3://b"}
		result, err := try.Run(t.Context(), kept)
		require.NoError(t, err)
		require.EqualValues(t, 2, rows(result, "pin"))
		require.Empty(t, result.Rejected)
		leftNothing(t, before)
		require.Equal(t, content, query("SELECT * FROM `pins`.`pin` ORDER BY ALL"))
	})

	t.Run("dry_with_a_notebook_that_fails_halfway", func(t *testing.T) {
		before := query("SHOW TABLES FROM `pins`")
		broken := in
		broken.Notebook.Source += "\n-- COMMAND ----------\n\nINSERT INTO raw SELECT * FROM raw;\n"
		_, err := try.Run(t.Context(), broken)
		require.Error(t, err, "the inputs cannot be written")
		leftNothing(t, before)
		require.Equal(t, [][]string{{"2"}}, query("SELECT count(*) FROM `pins`.`raw`"))
	})
}
