package workflows

import (
	"flag"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/internal/search"
)

var recording = flag.Bool("record", false, "record testdata/histories on a real server (../bin/local)")

// noopDAG is the name of a DAG of five tasks, each of them one activity that does nothing.
const noopDAG = "noop"

// noop is an operator of one activity that does nothing.
type noop struct{}

func (noop) Effects() dag.Effects { return dag.Effects{} }

func (noop) Run(ctx workflow.Context, try TaskInstance) (run.Outcome, error) {
	return run.Outcome{}, workflow.ExecuteActivity(withPolicy(ctx, planPolicy, try.summary("nothing")), "Noop").Get(ctx, nil)
}

// recorded is the catalog with which the histories were recorded.
func recorded() dag.Catalog {
	noops := dag.Definition{Name: noopDAG, DAG: daily(func(d dag.DAG) {
		for i := range d {
			d[i].Do = noop{}
		}
	})}
	return dag.NewCatalog(pipeline(), noops)
}

func historyFile(name string) string { return filepath.Join("testdata", "histories", name+".json") }

func readHistory(t *testing.T, name string) *historypb.History {
	t.Helper()
	file, err := os.Open(historyFile(name))
	require.NoError(t, err)
	defer func() { require.NoError(t, file.Close()) }()
	history, err := client.HistoryFromJSON(file, client.HistoryJSONOptions{})
	require.NoError(t, err)
	return history
}

func replay(t *testing.T, c dag.Catalog, name string) error {
	t.Helper()
	replayer := worker.NewWorkflowReplayer()
	Register(replayer, c)
	return replayer.ReplayWorkflowHistory(log.NewStructuredLogger(slog.New(slog.DiscardHandler)), readHistory(t, name))
}

// nonDeterminism is the code of Temporal's error for a history that the workflow code does not
// produce.
const nonDeterminism = "TMPRL1100"

// recordings maps the histories to their last events.
var recordings = map[string]enumspb.EventType{
	"clean":              enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED,
	"noop":               enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED,
	"retried":            enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED,
	"rerun":              enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED,
	"held":               enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED,
	"failed":             enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED,
	"cancelled":          enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED,
	"cancelled-starting": enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED,
	"range":              enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW,
	"range-last":         enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED,
	"range-attached":     enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED,
	"pool-dead-holder":   enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED,
	"pool":               enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED,
}

func TestReplay(t *testing.T) {
	// Open runs must continue under this code: histories that were recorded on a real server replay
	// without a difference. Record only with code that is deployed (go test ./workflows -run
	// TestReplay
	// -record): a recording of the code under test proves nothing about open runs.
	t.Run("recorded_histories_replay", func(t *testing.T) {
		if *recording {
			record(t)
		}
		files, err := filepath.Glob(historyFile("*"))
		require.NoError(t, err)
		require.Len(t, files, len(recordings), "each history is replayed")
		for name, ended := range recordings {
			t.Run(name, func(t *testing.T) {
				require.NoError(t, replay(t, recorded(), name))
				events := readHistory(t, name).Events
				require.Equal(t, ended, events[len(events)-1].EventType)
			})
		}
	})

	t.Run("detects_a_changed_order_of_tasks", func(t *testing.T) {
		for _, name := range []string{"clean", "noop"} {
			changed := recorded()
			for i := range changed.DAGs {
				table := append(dag.DAG{}, changed.DAGs[i].DAG...)
				table[2].After = dag.Tasks{"clean_pin"} // clean_geo now runs after clean_pin
				changed.DAGs[i].DAG = table
			}
			require.NoError(t, changed.Validate())
			require.ErrorContains(t, replay(t, changed, name), nonDeterminism, name)
		}
	})

	t.Run("detects_a_removed_task", func(t *testing.T) {
		changed := recorded()
		changed.DAGs[0].DAG = changed.DAGs[0].DAG[:4]
		require.ErrorContains(t, replay(t, changed, "clean"), nonDeterminism)
	})
}

// countOf counts the events of a type.
func countOf(history *historypb.History, kind enumspb.EventType) int {
	n := 0
	for _, e := range history.Events {
		if e.EventType == kind {
			n++
		}
	}
	return n
}

func TestHistory(t *testing.T) {
	t.Run("a_clean_run_of_five_noop_tasks_has_forty_events_at_most", func(t *testing.T) {
		require.LessOrEqual(t, len(readHistory(t, "noop").Events), 40)
	})

	t.Run("every_activity_has_a_summary", func(t *testing.T) {
		for name := range recordings {
			for activity, summaries := range scheduled(readHistory(t, name)) {
				for _, summary := range summaries {
					require.NotEmpty(t, summary, "%s: %s", name, activity)
				}
			}
		}
		clean := scheduled(readHistory(t, "clean"))
		require.Contains(t, clean[waitNotebook], "clean_geo try 1: wait for Databricks run")
		require.Contains(t, clean[landPartition], "load try 1: land pin partition 0, offsets 0 to 10")
	})

	t.Run("a_cancelled_run_cancels_its_databricks_runs", func(t *testing.T) {
		require.Len(t, scheduled(readHistory(t, "cancelled"))[cancelNotebook], 3)
		starting := scheduled(readHistory(t, "cancelled-starting"))
		require.Len(t, starting[startNotebook], 1)
		require.Empty(t, starting[waitNotebook], "it was cancelled while StartNotebook was running")
		require.Len(t, starting[cancelNotebook], 1)
	})

	t.Run("a_range_that_continues_as_new_keeps_its_runs", func(t *testing.T) {
		history := readHistory(t, "range")
		require.Zero(t, countOf(history, enumspb.EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED))
		require.Greater(t, countOf(history, enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED), countOf(history, enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED))
		for _, e := range history.Events {
			if a := e.GetStartChildWorkflowExecutionInitiatedEventAttributes(); a != nil {
				require.Equal(t, enumspb.PARENT_CLOSE_POLICY_ABANDON, a.ParentClosePolicy)
				require.Equal(t, enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY, a.WorkflowIdReusePolicy, "Temporal rejects a date that has succeeded")
				require.EqualValues(t, 5, a.Priority.PriorityKey)
			}
		}
	})

	t.Run("the_final_state_is_a_search_attribute", func(t *testing.T) {
		for name, want := range map[string]string{"clean": "success", "failed": "failed", "cancelled": "failed"} {
			var state string
			for _, e := range readHistory(t, name).Events {
				if a := e.GetUpsertWorkflowSearchAttributesEventAttributes(); a != nil {
					require.NoError(t, convert(a.SearchAttributes.IndexedFields[search.State.GetName()], &state))
				}
			}
			require.Equal(t, want, state, name)
		}
	})

	t.Run("a_failed_run_has_the_statement_in_its_message", func(t *testing.T) {
		events := readHistory(t, "failed").Events
		failed := events[len(events)-1].GetWorkflowExecutionFailedEventAttributes().GetFailure()
		require.Equal(t, failure.RunFailed, failed.GetApplicationFailureInfo().GetType())
		require.Contains(t, failed.Message, brokenStatement)
		require.Contains(t, failed.Message, "task query is upstream_failed")
		var app *temporal.ApplicationError
		require.ErrorAs(t, temporal.GetDefaultFailureConverter().FailureToError(failed), &app)
		require.True(t, app.NonRetryable())
	})
}

// scheduled returns the summaries of the activities in a history, by name.
func scheduled(history *historypb.History) map[string][]string {
	all := map[string][]string{}
	for _, e := range history.Events {
		if a := e.GetActivityTaskScheduledEventAttributes(); a != nil {
			var summary string
			_ = convert(e.GetUserMetadata().GetSummary(), &summary)
			all[a.ActivityType.Name] = append(all[a.ActivityType.Name], summary)
		}
	}
	return all
}
