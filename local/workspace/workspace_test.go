package workspace

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/client"
	"github.com/databricks/databricks-sdk-go/config"
	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/databricks/databricks-sdk-go/service/sql"
	"github.com/databricks/databricks-sdk-go/service/workspace"
	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/local/engine"
)

const (
	testToken     = "dapi-local"
	testWarehouse = "local"
)

// fakeEngine is an engine of functions. A nil function succeeds with an empty result.
type fakeEngine struct {
	runNotebook func(ctx context.Context, source string, params map[string]string) (*engine.Table, error)
	query       func(ctx context.Context, q engine.Query) (*engine.Table, error)
}

func (f *fakeEngine) RunNotebook(ctx context.Context, source string, params map[string]string) (*engine.Table, error) {
	if f.runNotebook == nil {
		return &engine.Table{}, nil
	}
	return f.runNotebook(ctx, source, params)
}

func (f *fakeEngine) Query(ctx context.Context, q engine.Query) (*engine.Table, error) {
	if f.query == nil {
		return &engine.Table{}, nil
	}
	return f.query(ctx, q)
}

// blocking is an engine call that says when it has started and then waits to be released or
// interrupted.
type blocking struct {
	started  chan string
	released chan struct{}
}

func newBlocking() *blocking {
	return &blocking{started: make(chan string, 100), released: make(chan struct{})}
}

func (b *blocking) run(ctx context.Context, source string, _ map[string]string) (*engine.Table, error) {
	b.started <- source
	select {
	case <-b.released:
		return &engine.Table{}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// testWorkspace is a workspace with the real clients.
type testWorkspace struct {
	*Server
	t          *testing.T
	jobs       *jobs.JobsAPI
	tree       *workspace.WorkspaceAPI
	statements *sql.StatementExecutionAPI
	stop       func()
}

// startWorkspace serves a workspace until the test ends, or until stop is called. Without an engine
// of the test it has one that does nothing.
func startWorkspace(t *testing.T, o Options) *testWorkspace {
	t.Helper()
	if o.Engine == nil {
		o.Engine = &fakeEngine{}
	}
	return serve(t, o)
}

func serve(t *testing.T, o Options) *testWorkspace {
	t.Helper()
	if o.DataDir == "" {
		o.DataDir = t.TempDir()
	}
	if o.Address == "" {
		o.Address = "127.0.0.1:0"
	}
	o.Token, o.WarehouseID = testToken, testWarehouse
	o.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	server, err := New(t.Context(), o)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx) }()
	require.NoError(t, server.Ready(t.Context()))
	w := &testWorkspace{Server: server, t: t}
	w.stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(t, <-served)
	})
	t.Cleanup(w.stop)
	c := newClient(t, server.URL(), testToken)
	w.jobs, w.tree, w.statements = jobs.NewJobs(c), workspace.NewWorkspace(c), sql.NewStatementExecution(c)
	return w
}

func newClient(t *testing.T, url, token string) *client.DatabricksClient {
	t.Helper()
	c, err := client.New(&config.Config{Host: url, Token: token, AuthType: "pat", ConfigFile: "/dev/null", RateLimitPerSecond: 1000})
	require.NoError(t, err)
	return c
}

// importSQL imports a notebook.
func (w *testWorkspace) importSQL(path, source string) {
	w.t.Helper()
	require.NoError(w.t, w.tree.Import(w.t.Context(), workspace.Import{
		Path: path, Format: workspace.ImportFormatSource, Language: workspace.LanguageSql, Overwrite: true,
		Content: base64.StdEncoding.EncodeToString([]byte(source)),
	}))
}

// notebookTask returns a task that runs a notebook after others.
func notebookTask(key, path string, after ...string) jobs.SubmitTask {
	task := jobs.SubmitTask{TaskKey: key, NotebookTask: &jobs.NotebookTask{NotebookPath: path}}
	for _, parent := range after {
		task.DependsOn = append(task.DependsOn, jobs.TaskDependency{TaskKey: parent})
	}
	return task
}

// submit starts a run and returns its id.
func (w *testWorkspace) submit(request jobs.SubmitRun) int64 {
	w.t.Helper()
	started, err := w.jobs.Submit(w.t.Context(), request)
	require.NoError(w.t, err)
	return started.RunId
}

// get returns a run.
func (w *testWorkspace) get(id int64) *jobs.Run {
	w.t.Helper()
	found, err := w.jobs.GetRun(w.t.Context(), jobs.GetRunRequest{RunId: id})
	require.NoError(w.t, err)
	return found
}

// waitFor polls a run until the condition holds.
func (w *testWorkspace) waitFor(id int64, wanted func(*jobs.Run) bool) *jobs.Run {
	w.t.Helper()
	for {
		if found := w.get(id); wanted(found) {
			return found
		}
	}
}

func (w *testWorkspace) waitEnded(id int64) *jobs.Run {
	w.t.Helper()
	return w.waitFor(id, func(r *jobs.Run) bool { return r.Status.State == jobs.RunLifecycleStateV2StateTerminated })
}

func (w *testWorkspace) output(taskRunID int64) *jobs.RunOutput {
	w.t.Helper()
	output, err := w.jobs.GetRunOutput(w.t.Context(), jobs.GetRunOutputRequest{RunId: taskRunID})
	require.NoError(w.t, err)
	return output
}

// call sends a request that the SDK cannot send, and returns the status and the body.
func (w *testWorkspace) call(method, path, token, body string) (int, http.Header, map[string]any) {
	w.t.Helper()
	request, err := http.NewRequestWithContext(w.t.Context(), method, w.URL()+path, bytes.NewBufferString(body))
	require.NoError(w.t, err)
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(w.t, err)
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	require.NoError(w.t, err)
	var answer map[string]any
	require.NoError(w.t, json.Unmarshal(data, &answer), "%s", data)
	return response.StatusCode, response.Header, answer
}

// requireAPIError checks status and error code in the error of the SDK, and returns the message.
func requireAPIError(t *testing.T, err error, status int, code string) string {
	t.Helper()
	var e *apierr.APIError
	require.True(t, errors.As(err, &e), "%v", err)
	require.Equal(t, status, e.StatusCode, e.Message)
	require.Equal(t, code, e.ErrorCode, e.Message)
	return e.Message
}

// clock is the time, which a test advances.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}
