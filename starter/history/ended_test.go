package history

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/internal/search"
)

// recordedHistory reads a history that a worker has recorded.
func recordedHistory(t *testing.T, name string) []*historypb.HistoryEvent {
	t.Helper()
	found, err := filepath.Glob("../../workflows/testdata/histories/*/" + name + ".json")
	require.NoError(t, err)
	require.NotEmpty(t, found)
	file, err := os.Open(found[len(found)-1])
	require.NoError(t, err)
	defer file.Close()
	history, err := client.HistoryFromJSON(file, client.HistoryJSONOptions{})
	require.NoError(t, err)
	return history.GetEvents()
}

// What this package reads in the history of a run is what workers record there.
func TestRecordedRun(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct {
		tries map[string]int
		done  []string
	}{
		"clean":   {map[string]int{"load": 1, "clean_pin": 1, "clean_geo": 1, "clean_user": 1, "query": 1}, []string{"load", "clean_pin", "clean_geo", "clean_user", "query"}},
		"retried": {map[string]int{"load": 1, "clean_pin": 2, "clean_geo": 1, "clean_user": 1, "query": 1}, []string{"load", "clean_pin", "clean_geo", "clean_user", "query"}},
		"rerun":   {map[string]int{"clean_geo": 2, "query": 2}, []string{"clean_geo", "query"}},
		"held":    {map[string]int{"load": 1, "clean_pin": 1, "clean_geo": 1, "clean_user": 1, "query": 3}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			read, events := newRecordedRun(), recordedHistory(t, name)
			for _, event := range events {
				read.take(event)
			}
			var in run.Input
			require.NoError(t, converter.GetDefaultDataConverter().FromPayloads(events[0].GetWorkflowExecutionStartedEventAttributes().GetInput(), &in))
			require.Equal(t, in, read.in)
			status := read.status(in.DAG, search.Run{Date: in.Date, WorkflowID: "w", RunID: "r"}, nil)
			require.Equal(t, []string{"load", "clean_pin", "clean_geo", "clean_user", "query"}, status.TaskIDs())
			tries, done := map[string]int{}, []string(nil)
			for _, task := range status.Tasks {
				if task.Tries > 0 {
					tries[task.ID] = task.Tries
					require.NotEmpty(t, task.Link, task.ID)
				}
				if task.State == run.Success {
					done = append(done, task.ID)
				}
			}
			require.Equal(t, want.tries, tries)
			require.Equal(t, want.done, done, "after a decision nothing is known for sure")
		})
	}
}
