package workspace

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/local/engine"
)

// read returns a page, requested without a token as by a browser.
func (w *testWorkspace) read(url string) (int, string) {
	w.t.Helper()
	request, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, url, nil)
	require.NoError(w.t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(w.t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(w.t, err)
	return response.StatusCode, string(body)
}

func TestPages(t *testing.T) {
	t.Parallel()
	t.Run("run_page_shows_what_failed", func(t *testing.T) {
		t.Parallel()
		w := startWorkspace(t, Options{Engine: &fakeEngine{runNotebook: func(context.Context, string, map[string]string) (*engine.Table, error) {
			return nil, &engine.StatementError{Cell: 2, Statement: 1, SQL: "SELECT '<b>'", Message: "no <script> here"}
		}}})
		w.importSQL("/Shared/clean_pin", "SELECT 1")
		task := notebookTask("clean", "/Shared/clean_pin")
		task.NotebookTask.BaseParameters = map[string]string{"schema": "pinflow & co"}
		ended := w.waitEnded(w.submit(jobs.SubmitRun{RunName: "daily 2026-01-02 clean_pin try 1", Tasks: []jobs.SubmitTask{task}}))
		status, body := w.read(ended.RunPageUrl)
		require.Equal(t, http.StatusOK, status)
		for _, want := range []string{
			"daily 2026-01-02 clean_pin try 1", "FAILED", "/Shared/clean_pin", "cell 2, statement 1", "no &lt;script&gt; here", "SELECT &#39;&lt;b&gt;&#39;", "pinflow &amp; co", "UTC",
		} {
			require.Contains(t, body, want)
		}
		require.NotContains(t, body, "<script>")
		require.NotContains(t, body, `http-equiv="refresh"`, "an ended run does not change")
		status, _ = w.read(strings.Split(ended.Tasks[0].RunPageUrl, "#")[0])
		require.Equal(t, http.StatusOK, status)
		require.Contains(t, ended.Tasks[0].RunPageUrl, "#task-")
	})

	t.Run("run_page_shows_the_last_result", func(t *testing.T) {
		t.Parallel()
		w := startWorkspace(t, Options{Engine: &fakeEngine{runNotebook: func(context.Context, string, map[string]string) (*engine.Table, error) {
			return numbers(60), nil
		}}})
		w.importSQL("/Shared/a", "SELECT 1")
		ended := w.waitEnded(w.submit(jobs.SubmitRun{Tasks: []jobs.SubmitTask{notebookTask("a", "/Shared/a")}}))
		_, body := w.read(ended.RunPageUrl)
		require.Contains(t, body, "first 50 of 60 rows")
		require.Contains(t, body, "<td>49</td>")
		require.NotContains(t, body, "<td>50</td>")
	})

	t.Run("index_lists_runs_and_refreshes_while_one_is_active", func(t *testing.T) {
		t.Parallel()
		block := newBlocking()
		w := startWorkspace(t, Options{Engine: &fakeEngine{runNotebook: block.run}})
		_, body := w.read(w.URL() + "/")
		require.Contains(t, body, "Nothing has run yet")
		w.importSQL("/Shared/a", "SELECT 1")
		id := w.submit(jobs.SubmitRun{RunName: "the run", Tasks: []jobs.SubmitTask{notebookTask("a", "/Shared/a")}})
		<-block.started
		_, body = w.read(w.URL() + "/")
		require.Contains(t, body, "the run")
		require.Contains(t, body, "RUNNING")
		require.Contains(t, body, `http-equiv="refresh"`)
		close(block.released)
		w.waitEnded(id)
		_, body = w.read(w.URL() + "/")
		require.Contains(t, body, "SUCCESS")
		require.NotContains(t, body, `http-equiv="refresh"`)
	})

	t.Run("unknown_pages_are_not_found", func(t *testing.T) {
		t.Parallel()
		w := startWorkspace(t, Options{})
		for _, path := range []string{"/jobs/1/runs/2", "/jobs/1/runs/x", "/nothing"} {
			status, body := w.read(w.URL() + path)
			require.Equal(t, http.StatusNotFound, status)
			require.Contains(t, body, "Not found")
		}
	})

	t.Run("answer_only_under_their_own_name", func(t *testing.T) {
		t.Parallel()
		w := startWorkspace(t, Options{PublicURL: "http://workspace.example:8090"})
		for host, want := range map[string]int{
			"localhost:8090": http.StatusOK, "127.0.0.1:8090": http.StatusOK, "[::1]:8090": http.StatusOK, "workspace.example:8090": http.StatusOK, "evil.example:8090": http.StatusMisdirectedRequest,
		} {
			recorder := httptest.NewRecorder()
			request := httptest.NewRequest(http.MethodGet, "/", nil)
			request.Host = host
			w.routes().ServeHTTP(recorder, request)
			require.Equal(t, want, recorder.Code, host)
		}
	})
}
