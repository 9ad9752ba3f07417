package workspace

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/stretchr/testify/require"
)

func TestSubmit(t *testing.T) {
	t.Parallel()
	t.Run("rejects_what_it_cannot_run", func(t *testing.T) {
		t.Parallel()
		w := startWorkspace(t, Options{})
		change := func(change func(*jobs.SubmitTask)) jobs.SubmitRun {
			task := notebookTask("a", "/Shared/a")
			change(&task)
			return jobs.SubmitRun{Tasks: []jobs.SubmitTask{task}}
		}
		for name, test := range map[string]struct {
			request jobs.SubmitRun
			message string
		}{
			"no tasks":          {jobs.SubmitRun{}, "tasks"},
			"too many tasks":    {jobs.SubmitRun{Tasks: make([]jobs.SubmitTask, 101)}, "at most 100"},
			"no task key":       {change(func(s *jobs.SubmitTask) { s.TaskKey = "" }), "task_key"},
			"bad task key":      {change(func(s *jobs.SubmitTask) { s.TaskKey = "a b" }), "task_key"},
			"same key twice":    {jobs.SubmitRun{Tasks: []jobs.SubmitTask{notebookTask("a", "/a"), notebookTask("a", "/b")}}, "more than one"},
			"no notebook task":  {change(func(s *jobs.SubmitTask) { s.NotebookTask = nil }), "notebook_task"},
			"no path":           {change(func(s *jobs.SubmitTask) { s.NotebookTask.NotebookPath = "" }), "notebook_path"},
			"relative path":     {change(func(s *jobs.SubmitTask) { s.NotebookTask.NotebookPath = "Shared/a" }), "absolute"},
			"git source":        {change(func(s *jobs.SubmitTask) { s.NotebookTask.Source = jobs.SourceGit }), "GIT"},
			"git repository":    {jobs.SubmitRun{GitSource: &jobs.GitSource{}, Tasks: []jobs.SubmitTask{notebookTask("a", "/a")}}, "git_source"},
			"unknown warehouse": {change(func(s *jobs.SubmitTask) { s.NotebookTask.WarehouseId = "other" }), "not a valid endpoint id"},
			"large parameters": {change(func(s *jobs.SubmitTask) {
				s.NotebookTask.BaseParameters = map[string]string{"p": strings.Repeat("x", 1<<20)}
			}), "base_parameters"},
			"retries":              {change(func(s *jobs.SubmitTask) { s.MaxRetries = 1 }), "max_retries"},
			"unknown condition":    {change(func(s *jobs.SubmitTask) { s.RunIf = "SOMETIMES" }), "run_if"},
			"unknown dependency":   {jobs.SubmitRun{Tasks: []jobs.SubmitTask{notebookTask("a", "/a", "b")}}, "not in the run"},
			"circle":               {jobs.SubmitRun{Tasks: []jobs.SubmitTask{notebookTask("a", "/a", "b"), notebookTask("b", "/b", "a")}}, "circle"},
			"long token":           {jobs.SubmitRun{IdempotencyToken: strings.Repeat("ä", 65), Tasks: []jobs.SubmitTask{notebookTask("a", "/a")}}, "64"},
			"long name":            {jobs.SubmitRun{RunName: strings.Repeat("x", 4097), Tasks: []jobs.SubmitTask{notebookTask("a", "/a")}}, "4096"},
			"negative timeout":     {jobs.SubmitRun{TimeoutSeconds: -1, Tasks: []jobs.SubmitTask{notebookTask("a", "/a")}}, "negative"},
			"negative task budget": {change(func(s *jobs.SubmitTask) { s.TimeoutSeconds = -1 }), "negative"},
		} {
			t.Run(name, func(t *testing.T) {
				_, err := w.jobs.Submit(t.Context(), test.request)
				require.ErrorIs(t, err, apierr.ErrInvalidParameterValue)
				require.Contains(t, requireAPIError(t, err, http.StatusBadRequest, "INVALID_PARAMETER_VALUE"), test.message)
			})
		}
		list, err := w.jobs.ListRunsAll(t.Context(), jobs.ListRunsRequest{})
		require.NoError(t, err)
		require.Empty(t, list, "a rejected request leaves no run behind")
	})

	t.Run("bad_json_is_a_bad_request", func(t *testing.T) {
		t.Parallel()
		w := startWorkspace(t, Options{})
		for body, code := range map[string]string{
			`{"tasks":`:          "MALFORMED_REQUEST",
			`not json`:           "MALFORMED_REQUEST",
			`{"tasks":"a text"}`: "MALFORMED_REQUEST",
			`{}`:                 "INVALID_PARAMETER_VALUE",
			``:                   "INVALID_PARAMETER_VALUE",
		} {
			status, _, answer := w.call(http.MethodPost, "/api/2.2/jobs/runs/submit", testToken, body)
			require.Equal(t, http.StatusBadRequest, status, body)
			require.Equal(t, code, answer["error_code"], body)
		}
	})

	t.Run("accepts_a_token_of64_characters", func(t *testing.T) {
		t.Parallel()
		w := startWorkspace(t, Options{})
		w.importSQL("/Shared/a", "SELECT 1")
		id := w.submit(jobs.SubmitRun{IdempotencyToken: strings.Repeat("ä", 64), Tasks: []jobs.SubmitTask{notebookTask("a", "/Shared/a")}})
		require.Equal(t, "Untitled", w.waitEnded(id).RunName)
	})

	t.Run("works_in_version21", func(t *testing.T) {
		t.Parallel()
		w := startWorkspace(t, Options{})
		w.importSQL("/Shared/a", "SELECT 1")
		status, _, answer := w.call(http.MethodPost, "/api/2.1/jobs/runs/submit", testToken,
			`{"run_name":"old","tasks":[{"task_key":"a","notebook_task":{"notebook_path":"/Shared/a"}}]}`)
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, "old", w.waitEnded(int64(answer["run_id"].(float64))).RunName)
	})
}

func TestIdempotency(t *testing.T) {
	t.Parallel()
	t.Run("concurrent_submits_start_one_run", func(t *testing.T) {
		t.Parallel()
		block := newBlocking()
		w := startWorkspace(t, Options{Engine: &fakeEngine{runNotebook: block.run}})
		w.importSQL("/Shared/a", "SELECT 1")
		const clients = 16
		ids := make([]int64, clients)
		var group sync.WaitGroup
		for i := range ids {
			group.Go(func() {
				started, err := w.jobs.Submit(t.Context(), jobs.SubmitRun{IdempotencyToken: "once", Tasks: []jobs.SubmitTask{notebookTask("a", "/Shared/a")}})
				if err == nil {
					ids[i] = started.RunId
				}
			})
		}
		group.Wait()
		for _, id := range ids {
			require.NotZero(t, id)
			require.Equal(t, ids[0], id)
		}
		<-block.started
		close(block.released)
		w.waitEnded(ids[0])
		require.Empty(t, block.started, "the notebook ran once")
		list, err := w.jobs.ListRunsAll(t.Context(), jobs.ListRunsRequest{})
		require.NoError(t, err)
		require.Len(t, list, 1)
	})

	t.Run("token_keeps_its_run_after_it_has_ended", func(t *testing.T) {
		t.Parallel()
		w := startWorkspace(t, Options{})
		w.importSQL("/Shared/a", "SELECT 1")
		request := jobs.SubmitRun{IdempotencyToken: "once", Tasks: []jobs.SubmitTask{notebookTask("a", "/Shared/a")}}
		first := w.submit(request)
		w.waitEnded(first)
		request.RunName = "another name"
		require.Equal(t, first, w.submit(request))
		request.IdempotencyToken = "another token"
		require.NotEqual(t, first, w.submit(request))
		request.IdempotencyToken = ""
		require.NotEqual(t, w.submit(request), w.submit(request), "without a token each request is a run")
	})

	t.Run("token_of_a_deleted_run_is_an_error", func(t *testing.T) {
		t.Parallel()
		w := startWorkspace(t, Options{})
		w.importSQL("/Shared/a", "SELECT 1")
		request := jobs.SubmitRun{IdempotencyToken: "once", Tasks: []jobs.SubmitTask{notebookTask("a", "/Shared/a")}}
		id := w.submit(request)
		w.waitEnded(id)
		require.NoError(t, w.jobs.DeleteRun(t.Context(), jobs.DeleteRun{RunId: id}))
		_, err := w.jobs.Submit(t.Context(), request)
		require.Contains(t, requireAPIError(t, err, http.StatusBadRequest, "INVALID_PARAMETER_VALUE"), "deleted")
	})
}
