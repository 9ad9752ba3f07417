package workspace

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/databricks/databricks-sdk-go/service/sql"
	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/activities/activitytest"
	"github.com/pinflow/pinflow/internal/clients/databricks"
	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/local/engine"
	"github.com/pinflow/pinflow/local/objectstore"
)

// gate is a store whose only object can be read once it is open.
type gate struct {
	reached, open chan struct{}
}

func (g gate) List(context.Context, string) ([]objectstore.Object, error) {
	return []objectstore.Object{{URI: "s3://b/gate"}}, nil
}

func (g gate) Open(ctx context.Context, _ string) (io.ReadCloser, error) {
	g.reached <- struct{}{}
	select {
	case <-g.open:
		return io.NopCloser(strings.NewReader("1\n")), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func TestConflict(t *testing.T) {
	t.Run("of_two_notebooks_is_a_conflict_to_the_pipeline", func(t *testing.T) {
		g := gate{make(chan struct{}, 1), make(chan struct{})}
		e, err := engine.Open(t.Context(), engine.Options{Objects: g})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, e.Close()) })
		w := startWorkspace(t, Options{Engine: e})
		w.execute(sql.ExecuteStatementRequest{Statement: "CREATE TABLE pin (ind BIGINT, title STRING)"})
		const merge = " AS s ON pin.ind = s.ind WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *"
		w.importSQL("/Shared/first", "MERGE INTO pin USING (SELECT 1 AS ind, value AS title FROM read_files('s3://b/gate', format => 'text'))"+merge)
		w.importSQL("/Shared/second", "MERGE INTO pin USING (SELECT 1 AS ind, 'second' AS title)"+merge)
		run := func(path string) int64 {
			return w.submit(jobs.SubmitRun{Tasks: []jobs.SubmitTask{notebookTask("clean_pin", path)}})
		}
		first := run("/Shared/first")
		<-g.reached
		second := run("/Shared/second")
		w.waitFor(second, func(r *jobs.Run) bool { return r.Status.State == jobs.RunLifecycleStateV2StateRunning })
		time.Sleep(time.Second) // from RUNNING to the statement, of which the workspace tells nothing
		close(g.open)
		require.Equal(t, jobs.RunResultStateSuccess, w.waitEnded(first).State.ResultState)

		t.Setenv("DATABRICKS_HOST", w.URL())
		t.Setenv("DATABRICKS_TOKEN", testToken)
		client, err := databricks.NewJobs()
		require.NoError(t, err)
		notebooks := &activities.Notebooks{Jobs: client, Polls: activities.NewPolls()}
		_, err = activitytest.Execute[activities.NotebookResult](notebooks.WaitNotebook, activities.WaitNotebookInput{Run: activities.NotebookRun{RunID: second}})
		activitytest.RequireNonRetryable(t, err, failure.NotebookConflict, "[DELTA_CONCURRENT_APPEND.WHOLE_TABLE_READ]", "MERGE INTO pin", "retry")
		require.Equal(t, jobs.RunResultStateSuccess, w.waitEnded(run("/Shared/second")).State.ResultState, "a new try succeeds")
		rows := w.execute(sql.ExecuteStatementRequest{Statement: "SELECT ind, title FROM pin"})
		require.Equal(t, [][]string{{"1", "second"}}, rows.Result.DataArray)
	})
}
