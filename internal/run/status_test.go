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

	t.Run("the_error_of_a_task_in_one_line_is_that_of_its_job", func(t *testing.T) {
		for text, want := range map[string]string{
			"": "",
			"pinflow daily 2022-10-18 clean_geo try 2 ended as FAILED\ntask clean_geo: [PARSE_ERROR] near \"FROM\"\nSELECT\nrun page: x": `[PARSE_ERROR] near "FROM"`,
			"daily ended as TIMEDOUT\n\n[X] y": "[X] y",
			"daily ended as CANCELED":          "daily ended as CANCELED",
			"no offsets\nmore":                 "no offsets",
		} {
			require.Equal(t, want, Task{ID: "clean_geo", Error: text}.ErrorLine())
		}
	})
}
