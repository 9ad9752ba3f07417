package run

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestStatus(t *testing.T) {
	t.Run("a_task_that_the_run_does_not_have_is_none", func(t *testing.T) {
		status := Status{Tasks: []Task{{ID: "load", State: Success}, {ID: "query", State: Failed}}}
		require.Equal(t, Failed, status.Task("query").State)
		require.Equal(t, Task{ID: "clean", State: None}, status.Task("clean"))
		require.Equal(t, []string{"load", "query"}, status.TaskIDs())
	})
}
