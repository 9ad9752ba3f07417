package activities

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/activities/activitytest"
	"github.com/pinflow/pinflow/internal/clients/databricks"
	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/run"
)

var _ Jobs = (*databricks.Jobs)(nil)

// httpWorkspace is a Databricks workspace behind an HTTP server with faults. Each request gets the
// next fault, until there are none.
type httpWorkspace struct {
	mu       sync.Mutex
	troubles map[string][]func(http.ResponseWriter, *http.Request) // by the last part of the path
	requests map[string]int
	tokens   map[string]int64
	names    map[int64]jobs.SubmitRun
	agents   map[string]bool
	state    jobs.RunState
	active   [][]jobs.BaseRun // pages
}

func newHTTPWorkspace(t *testing.T) (*httpWorkspace, *Notebooks) {
	w := &httpWorkspace{
		troubles: map[string][]func(http.ResponseWriter, *http.Request){}, requests: map[string]int{}, tokens: map[string]int64{},
		names: map[int64]jobs.SubmitRun{}, agents: map[string]bool{}, state: ended(jobs.RunResultStateSuccess),
	}
	server := httptest.NewServer(w)
	t.Cleanup(server.Close)
	t.Setenv("DATABRICKS_HOST", server.URL)
	t.Setenv("DATABRICKS_TOKEN", "token")
	t.Setenv("DATABRICKS_CONFIG_FILE", t.TempDir()+"/none")
	client, err := databricks.NewJobs()
	require.NoError(t, err)
	n, _, _ := newNotebooks()
	n.Jobs, n.timeout = client, 2*time.Second
	return w, n
}

func (w *httpWorkspace) ServeHTTP(answer http.ResponseWriter, request *http.Request) {
	what := path.Base(request.URL.Path)
	w.mu.Lock()
	w.requests[what]++
	w.agents[request.UserAgent()] = true
	var trouble func(http.ResponseWriter, *http.Request)
	if waiting := w.troubles[what]; len(waiting) > 0 {
		trouble, w.troubles[what] = waiting[0], waiting[1:]
	}
	w.mu.Unlock()
	if trouble != nil {
		trouble(answer, request)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	answer.Header().Set("Content-Type", "application/json")
	switch what {
	case "submit":
		var run jobs.SubmitRun
		if err := json.NewDecoder(request.Body).Decode(&run); err != nil {
			http.Error(answer, err.Error(), http.StatusBadRequest)
			return
		}
		_ = json.NewEncoder(answer).Encode(jobs.SubmitRunResponse{RunId: w.submit(run)})
	case "get":
		id, _ := strconv.ParseInt(request.URL.Query().Get("run_id"), 10, 64)
		run, ok := w.names[id]
		if !ok {
			answer.WriteHeader(http.StatusBadRequest)
			_, _ = answer.Write([]byte(`{"error_code":"INVALID_PARAMETER_VALUE","message":"Run ` + strconv.FormatInt(id, 10) + ` does not exist."}`))
			return
		}
		_ = json.NewEncoder(answer).Encode(jobs.Run{RunId: id, RunName: run.RunName, State: &w.state, RunPageUrl: "https://page"})
	case "list":
		_ = json.NewEncoder(answer).Encode(w.page(request.URL.Query().Get("page_token")))
	case "cancel":
		_, _ = answer.Write([]byte(`{}`))
	case "databricks-config": // which the SDK asks for before all else
		_, _ = answer.Write([]byte(`{}`))
	default:
		http.NotFound(answer, request)
	}
}

// page returns a page of active runs by its number, which is its token.
func (w *httpWorkspace) page(token string) jobs.ListRunsResponse {
	number, _ := strconv.Atoi(token)
	var page jobs.ListRunsResponse
	if number < len(w.active) {
		page.Runs = w.active[number]
	}
	if number+1 < len(w.active) {
		page.NextPageToken = strconv.Itoa(number + 1)
	}
	return page
}

func (w *httpWorkspace) submit(run jobs.SubmitRun) int64 {
	id, ok := w.tokens[run.IdempotencyToken]
	if !ok {
		id = int64(len(w.tokens) + 1)
		w.tokens[run.IdempotencyToken] = id
		w.names[id] = run
	}
	return id
}

func status(code int, headers ...string) func(http.ResponseWriter, *http.Request) {
	return func(answer http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(headers); i += 2 {
			answer.Header().Set(headers[i], headers[i+1])
		}
		answer.WriteHeader(code)
		_, _ = answer.Write([]byte(`{"error_code":"TEMPORARILY_UNAVAILABLE","message":"not now"}`))
	}
}

// hang does not answer until the client gives up.
func hang(_ http.ResponseWriter, request *http.Request) { <-request.Context().Done() }

// drop closes the connection without an answer.
func drop(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func TestWaitNotebooksHttp(t *testing.T) {
	t.Run("over_http_faults_neither_fail_the_run_nor_start_a_second", func(t *testing.T) {
		w, n := newHTTPWorkspace(t)
		hand := &hand{}
		n.clock, n.timeout = hand.clock(), 200*time.Millisecond
		run, err := start(n, cleanPin)
		require.NoError(t, err)
		require.Equal(t, NotebookRun{RunID: 1, Link: "https://page", Notebook: "/Shared/pinflow/clean_pin"}, run)
		w.mu.Lock()
		w.requests = map[string]int{}
		w.troubles["get"] = []func(http.ResponseWriter, *http.Request){
			status(429, "Retry-After", "33"), status(500), hang, drop, status(503), status(504), status(502),
		}
		w.mu.Unlock()
		_, err = wait(n, WaitNotebookInput{Run: run})
		require.NoError(t, err)
		require.GreaterOrEqual(t, hand.waited(), 33*time.Second, "Retry-After is kept")
		require.Len(t, w.tokens, 1, "never a second run")
		require.Equal(t, map[string]int{"get": 8}, w.requests, "each poll is one request")
		for agent := range w.agents {
			require.Regexp(t, `^pinflow/`, agent)
		}
	})

	t.Run("over_http_run_that_does_not_exist_is_final", func(t *testing.T) {
		_, n := newHTTPWorkspace(t)
		_, err := wait(n, WaitNotebookInput{Run: NotebookRun{RunID: 99}})
		activitytest.RequireNonRetryable(t, err, failure.NotebookFailed, "run 99 was deleted")
	})
}

func TestStartNotebooksHttp(t *testing.T) {
	// The answer to a submit is lost, and Temporal retries the activity.
	t.Run("over_http_lost_answers_start_no_second_run", func(t *testing.T) {
		w, n := newHTTPWorkspace(t)
		n.timeout = 200 * time.Millisecond
		effectThen := func(trouble func(http.ResponseWriter, *http.Request)) func(http.ResponseWriter, *http.Request) {
			return func(answer http.ResponseWriter, request *http.Request) {
				var run jobs.SubmitRun
				require.NoError(t, json.NewDecoder(request.Body).Decode(&run))
				w.mu.Lock()
				w.submit(run)
				w.mu.Unlock()
				trouble(answer, request)
			}
		}
		w.troubles["submit"] = []func(http.ResponseWriter, *http.Request){effectThen(hang), effectThen(drop), effectThen(status(500)), effectThen(status(429))}
		for range 4 {
			_, err := start(n, cleanPin)
			activitytest.RequireRetryable(t, err)
		}
		run, err := start(n, cleanPin)
		require.NoError(t, err)
		require.EqualValues(t, 1, run.RunID)
		require.Len(t, w.tokens, 1)
	})

	// A busy workspace has hundreds of active runs, 20 on each page.
	t.Run("over_http_each_page_of_active_runs_has_its_own_time", func(t *testing.T) {
		const pages, perPage = 20, 150 * time.Millisecond // longer in all than the limit of a request
		w, n := newHTTPWorkspace(t)
		slow := func(answer http.ResponseWriter, request *http.Request) {
			time.Sleep(perPage)
			w.mu.Lock()
			defer w.mu.Unlock()
			_ = json.NewEncoder(answer).Encode(w.page(request.URL.Query().Get("page_token")))
		}
		for i := range pages {
			w.active = append(w.active, []jobs.BaseRun{{RunId: int64(1000 + i), RunName: "another job"}})
			w.troubles["list"] = append(w.troubles["list"], slow)
		}
		left := int64(500) // by a terminated workflow, on the last page
		name := run.DefaultDeployment.JobRunName(cleanPin.DAG, cleanPin.Date, cleanPin.Task, 1)
		w.active[pages-1] = append(w.active[pages-1], jobs.BaseRun{RunId: left, RunName: name})
		w.names[left] = jobs.SubmitRun{RunName: name}
		_, err := start(n, cleanPin)
		require.NoError(t, err)
		require.Equal(t, pages, w.requests["list"])
		require.Equal(t, 1, w.requests["cancel"], "the run on the last page is cancelled")
	})

	t.Run("over_http_rejections_are_final", func(t *testing.T) {
		w, n := newHTTPWorkspace(t)
		for _, code := range []int{401, 403} {
			w.mu.Lock()
			w.troubles["list"] = []func(http.ResponseWriter, *http.Request){status(code)}
			w.mu.Unlock()
			_, err := start(n, cleanPin)
			activitytest.RequireNonRetryable(t, err, failure.AccessDenied, "DATABRICKS_TOKEN")
		}
		require.Empty(t, w.tokens)
	})
}
