package workflows

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/notebooks"
)

func TestDaily(t *testing.T) {
	// The only test of the production DAG. All others have DAGs of their own, so that a change of
	// this one breaks this test alone.
	t.Run("is_the_production_pipeline", func(t *testing.T) {
		require.NoError(t, DefaultCatalog.Validate())
		require.Equal(t, "pinterest-daily", Daily.Name)
		require.Equal(t, dag.Tasks{"load", "clean_pin", "clean_geo", "clean_user", "query"}, Daily.DAG.IDs())
		require.Equal(t, dag.Schedule{Cron: "0 0 * * *", TimeZone: "UTC"}, Daily.Schedule)
		require.Equal(t, 6*time.Hour, Daily.Deadline)
		require.Equal(t, notebooks.Answers, Daily.DAG.Tables())
		require.Equal(t, []string{"pin", "geo", "user"}, Daily.DAG.Kinds())
		var sources []string
		for _, notebook := range notebooks.All() {
			sources = append(sources, notebook.Name)
		}
		for _, task := range Daily.DAG {
			require.Equal(t, 1, DefaultCatalog.Slots(task.Pool), "task %s writes tables of its own, one date at a time", task.ID)
			switch do := task.Do.(type) {
			case Load:
				require.Contains(t, sources, do.Notebook)
			case Notebook:
				require.Contains(t, sources, do.Name)
			default:
				require.Fail(t, "unknown operator", "%T", do)
			}
		}
		require.Error(t, Daily.Params.Check(map[string]string{"logical_date": "2022-10-18"}), "a run cannot write another date")
		require.Error(t, Daily.Params.Check(map[string]string{"invalid_followers": "maybe"}))
	})
}
