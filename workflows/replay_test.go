package workflows

import (
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

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
	"github.com/pinflow/pinflow/workflows/operators"
	"github.com/pinflow/pinflow/workflows/steps"
)

var recording = flag.Bool("record", false, "record the histories of the current version on a real server (../bin/local)")

// noopDAG is the name of a DAG of five tasks, each of them one activity that does nothing.
const noopDAG = "noop"

// noop is an operator of one activity that does nothing.
type noop struct{}

func (noop) Effects() dag.Effects { return dag.Effects{} }

func (noop) Run(ctx workflow.Context, try operators.TaskInstance) (run.Outcome, error) {
	return run.Outcome{}, workflow.ExecuteActivity(steps.WithPolicy(ctx, steps.PlanPolicy, try.Summary("nothing")), "Noop").Get(ctx, nil)
}

// recorded is the catalog with which the histories were recorded.
func recorded() dag.Catalog {
	noops := dag.Definition{Name: noopDAG, DAG: daily(func(d dag.DAG) {
		for i := range d {
			d[i].Do = noop{}
		}
	})}
	return dag.NewCatalog(pooledPipeline(), noops, onePooled(obstacleDAG, noop{}), onePooled(panicDAG, panics{}), jointPipeline())
}

// recordedOperators has the operators of the histories.
var recordedOperators = operators.ByName{"load": operators.Load{}, "notebook": operators.Notebook{}, "noop": noop{}, "panics": panics{}}

const (
	// obstacleDAG has an operator that the Pools workflow does not know at first.
	obstacleDAG = "obstacle"
	// panicDAG has an operator that panics.
	panicDAG = "panic"
	// jointDAG is the pipeline with dates that go together.
	jointDAG = "joint"
)

// onePooled is a DAG of one task with a pool.
func onePooled(name string, op dag.Operator) dag.Definition {
	return dag.Definition{Name: name, DAG: dag.DAG{{ID: "only", Pool: name, Tries: 1, Do: op}}, Pools: []dag.Pool{{Name: name, Slots: 1}}}
}

// panics is an operator that panics.
type panics struct{}

func (panics) Effects() dag.Effects { return dag.Effects{} }

func (panics) Run(workflow.Context, operators.TaskInstance) (run.Outcome, error) {
	panic("assignment to entry in nil map")
}

// histories is the directory of the recorded histories: one directory for each version.
const histories = "testdata/histories"

// recordedVersions returns the versions that have histories, the latest last.
func recordedVersions(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(histories)
	require.NoError(t, err)
	var all []string
	for _, e := range entries {
		if e.IsDir() {
			all = append(all, e.Name())
		}
	}
	numbers := func(version string) (n [3]int) {
		_, err := fmt.Sscanf(version, "%d.%d.%d", &n[0], &n[1], &n[2])
		require.NoError(t, err, version)
		return n
	}
	slices.SortFunc(all, func(a, b string) int {
		x, y := numbers(a), numbers(b)
		return slices.Compare(x[:], y[:])
	})
	return all
}

// historyFile returns the file of a history of the latest version.
func historyFile(t *testing.T, name string) string {
	t.Helper()
	all := recordedVersions(t)
	return filepath.Join(histories, all[len(all)-1], name+".json")
}

// readHistory reads a history of the latest version.
func readHistory(t *testing.T, name string) *historypb.History {
	t.Helper()
	return readHistoryFile(t, historyFile(t, name))
}

func readHistoryFile(t *testing.T, name string) *historypb.History {
	t.Helper()
	file, err := os.Open(name)
	require.NoError(t, err)
	defer func() { require.NoError(t, file.Close()) }()
	history, err := client.HistoryFromJSON(file, client.HistoryJSONOptions{})
	require.NoError(t, err)
	return history
}

// replay replays the history of a file with the workflows that register registers.
func replay(t *testing.T, register func(Registry), file string) error {
	t.Helper()
	replayer := worker.NewWorkflowReplayer()
	register(replayer)
	return replayer.ReplayWorkflowHistory(log.NewStructuredLogger(slog.New(slog.DiscardHandler)), readHistoryFile(t, file))
}

// replayTable replays a history whose run has recorded its table with one more setting, after the
// given text, as a later build might have recorded it.
func replayTable(t *testing.T, file, after, setting string) error {
	t.Helper()
	history, found := readHistoryFile(t, file), false
	for _, e := range history.Events {
		if marker := e.GetMarkerRecordedEventAttributes(); marker != nil && !found {
			data := marker.Details["data"].Payloads[0]
			before := string(data.Data)
			data.Data = []byte(strings.Replace(before, after, after+setting, 1))
			found = before != string(data.Data)
		}
	}
	require.True(t, found, "no table has %s", after)
	replayer := worker.NewWorkflowReplayer()
	registering(recorded())(replayer)
	return replayer.ReplayWorkflowHistory(log.NewStructuredLogger(slog.New(slog.DiscardHandler)), history)
}

// registering registers the workflows of a catalog.
func registering(c dag.Catalog) func(Registry) {
	return func(r Registry) { Register(r, c, recordedOperators) }
}

// slower registers workflows that sleep before they start: an interpreter that has changed.
type slower struct{ Registry }

func (r slower) RegisterWorkflowWithOptions(w any, options workflow.RegisterOptions) {
	original := reflect.ValueOf(w)
	changed := reflect.MakeFunc(original.Type(), func(args []reflect.Value) []reflect.Value {
		_ = workflow.Sleep(args[0].Interface().(workflow.Context), time.Second) // a cancelled sleep is a change, too
		return original.Call(args)
	})
	r.Registry.RegisterWorkflowWithOptions(changed.Interface(), options)
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
	"pools":              enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW,
	"pools-cancelled":    enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW,
	"pools-obstacle":     enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW,
	"pools-together":     enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW,
	"together":           enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED,
	"range-together":     enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED,
	"pools-rebuilt":      enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW,
}

func TestReplay(t *testing.T) {
	// Open runs must continue under this code: the histories of all versions, which were recorded on
	// a real server, replay without a difference. The histories of a released version are frozen
	// (scripts/check-histories); those of the current one are recorded with
	// go test ./workflows -run TestReplay -record.
	t.Run("recorded_histories_replay", func(t *testing.T) {
		if *recording {
			record(t)
		}
		for _, version := range recordedVersions(t) {
			files, err := filepath.Glob(filepath.Join(histories, version, "*"))
			require.NoError(t, err)
			require.NotEmpty(t, files, version)
			for _, file := range files {
				t.Run(version+"/"+strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
					require.NoError(t, replay(t, registering(recorded()), file))
				})
			}
		}
	})

	t.Run("the_latest_version_has_all_histories", func(t *testing.T) {
		files, err := filepath.Glob(historyFile(t, "*"))
		require.NoError(t, err)
		require.Len(t, files, len(recordings), "each history is replayed")
		for name, ended := range recordings {
			events := readHistory(t, name).Events
			require.Equal(t, ended, events[len(events)-1].EventType, name)
		}
	})

	t.Run("detects_a_changed_interpreter", func(t *testing.T) {
		for _, version := range recordedVersions(t) {
			files, err := filepath.Glob(filepath.Join(histories, version, "*"))
			require.NoError(t, err)
			for _, file := range files {
				err := replay(t, func(r Registry) { Register(slower{r}, recorded(), recordedOperators) }, file)
				require.ErrorContains(t, err, nonDeterminism, file)
			}
		}
	})

	// A run carries its table: a build with another one continues it as it was.
	t.Run("a_changed_table_changes_no_open_run", func(t *testing.T) {
		for what, change := range map[string]func(dag.DAG) dag.DAG{
			"another order": func(d dag.DAG) dag.DAG { d[2].After = dag.Tasks{"clean_pin"}; return d },
			"one task less": func(d dag.DAG) dag.DAG { return d[:4] },
			"one task more": func(d dag.DAG) dag.DAG {
				return append(d, dag.Task{ID: "report", After: dag.Tasks{"query"}, Do: noop{}})
			},
			"no pools": func(d dag.DAG) dag.DAG {
				for i := range d {
					d[i].Pool = ""
				}
				return d
			},
		} {
			changed := recorded()
			for i := range changed.DAGs {
				if len(changed.DAGs[i].DAG) == 1 {
					continue
				}
				changed.DAGs[i].DAG = change(append(dag.DAG{}, changed.DAGs[i].DAG...))
			}
			require.NoError(t, changed.Validate())
			for name := range recordings {
				require.NoError(t, replay(t, registering(changed), historyFile(t, name)), "%s: %s", what, name)
			}
		}
	})

	t.Run("a_removed_dag_changes_no_open_run", func(t *testing.T) {
		for name := range recordings {
			require.NoError(t, replay(t, registering(dag.Catalog{}), historyFile(t, name)), name)
		}
	})

	t.Run("an_operator_that_the_build_lacks_blocks_the_run", func(t *testing.T) {
		register := func(r Registry) { Register(r, recorded(), operators.ByName{"load": operators.Load{}}) }
		require.ErrorContains(t, replay(t, register, historyFile(t, "clean")), "deploy a build that has it")
	})

	// Without the setting it would be another run: one that waits for less, or requires less.
	t.Run("a_setting_of_the_table_that_the_build_lacks_blocks_the_run", func(t *testing.T) {
		for what, change := range map[string][2]string{
			"the table":      {`{`, `"onlyNew":1,`},
			"a task":         {`{"id":"clean_pin",`, `"onlyNew":1,`},
			"an expectation": {`{"id":"clean_pin",`, `"expect":{"onlyNew":1},`},
			"an operator":    {`{"notebook":{`, `"onlyNew":1,`},
			"a pool":         {`"pools":[{`, `"onlyNew":1,`},
		} {
			err := replayTable(t, historyFile(t, "clean"), change[0], change[1])
			require.ErrorContains(t, err, `unknown field "onlyNew"`, what)
			require.ErrorContains(t, err, "deploy a build that knows", what)
		}
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
		require.ElementsMatch(t, clean[steps.RunInPool], []string{
			"load try 1: notebook load", "clean_pin try 1: notebook clean_pin", "clean_geo try 1: notebook clean_geo",
			"clean_user try 1: notebook clean_user", "query try 1: notebook query",
		}, "one bar for each task, besides those of landing")
		require.Contains(t, clean[steps.LandPartitions], "load try 1: land pin partition 0, offsets 0 to 10")
		require.Regexp(t, `^load of pipeline 2022-10-\d+ try 1: wait for Databricks run$`, scheduled(readHistory(t, "pools"))[steps.WaitNotebook][0])
	})

	t.Run("a_clean_run_has_a_hundred_events_at_most", func(t *testing.T) {
		require.LessOrEqual(t, len(readHistory(t, "clean").Events), 100)
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
		for name, want := range map[string]string{"clean": "success", "failed": "failed", "cancelled": "cancelled"} {
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
