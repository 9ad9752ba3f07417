package e2e

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

func TestStack(t *testing.T) {
	t.Parallel()
	t.Run("second_one_on_the_same_directory_is_refused", func(t *testing.T) {
		onOwn.enter(t)
		s := newSystem(t)
		s.startStack()
		code, _, stderr := runProgram(t, s.data, nil, "local", "stack", "--data", s.data, "--port-offset", freeOffset(t))
		require.Equal(t, 2, code, stderr)
		require.Contains(t, stderr, s.data)
		require.FileExists(t, filepath.Join(s.data, "stack.env"), "the first one goes on")
	})

	// Without the write-ahead log each transaction syncs a journal of its own: the server would do
	// a fifth of the work in the same time. SQLite does not tell of a setting whose name it does
	// not know, so the file itself is asked.
	t.Run("temporal_keeps_a_write_ahead_log", func(t *testing.T) {
		onShared.enter(t)
		require.NoError(t, shared.start())
		files, err := filepath.Glob(filepath.Join(shared.data, "temporal", "temporal-*.db"))
		require.NoError(t, err)
		require.Len(t, files, 1)
		database, err := os.ReadFile(files[0])
		require.NoError(t, err)
		require.Equal(t, []byte{2, 2}, database[18:20], "the write and read versions of https://www.sqlite.org/fileformat.html: 2 is WAL")
		require.FileExists(t, files[0]+"-wal")
	})

	// A page of the Web can let its own name resolve to 127.0.0.1 (DNS rebinding), and then reads what
	// a server answers to a request with that name.
	t.Run("answers_no_page_of_another_name", func(t *testing.T) {
		onShared.enter(t)
		require.NoError(t, shared.start())
		for _, server := range []struct {
			setting, path string
			own, foreign  int // the statuses of a request without credentials
		}{
			{"DATABRICKS_HOST", "/", http.StatusOK, http.StatusMisdirectedRequest},
			{"DATABRICKS_HOST", "/api/2.2/jobs/runs/list", http.StatusUnauthorized, http.StatusMisdirectedRequest},
			{"DATABRICKS_HOST", "/.well-known/databricks-config", http.StatusOK, http.StatusMisdirectedRequest},
			{"DATABRICKS_HOST", "/healthz", http.StatusOK, http.StatusMisdirectedRequest},
			{"PINFLOW_TEMPORAL_UI_URL", "/", http.StatusOK, http.StatusMisdirectedRequest},
			{"PINFLOW_TEMPORAL_UI_URL", "/api/v1/namespaces", http.StatusOK, http.StatusMisdirectedRequest},
			{"PINFLOW_TEMPORAL_UI_URL", "/api/v1/settings", http.StatusOK, http.StatusMisdirectedRequest},
			// S3 signs the Host, with a secret that no page has.
			{"AWS_ENDPOINT_URL_S3", "/", http.StatusForbidden, http.StatusForbidden},
			{"AWS_ENDPOINT_URL_KINESIS", "/", http.StatusBadRequest, http.StatusBadRequest}, // as S3
		} {
			url := settingOf(shared.env, server.setting) + server.path
			for host, want := range map[string]int{"": server.own, "localhost": server.own, "rebound.example": server.foreign} {
				require.Eventually(t, func() bool { // the Web UI connects to Temporal some time after its start
					return askAs(t, url, host) == want
				}, 20*time.Second, 50*time.Millisecond, "%s for the host %q: want %d, last %d", url, host, want, askAs(t, url, host))
			}
		}
	})

	// The Web UI asks for no password: what keeps other pages from writing is its token of each page.
	t.Run("the_web_ui_takes_no_writes_of_other_pages", func(t *testing.T) {
		onShared.enter(t)
		require.NoError(t, shared.start())
		url := settingOf(shared.env, "PINFLOW_TEMPORAL_UI_URL") + "/api/v1/namespaces/default/workflows/nothing/terminate"
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader("{}"))
		require.NoError(t, err)
		request.Header.Set("Origin", "http://evil.example")
		request.Header.Set("Sec-Fetch-Site", "cross-site")
		request.Header.Set("Content-Type", "text/plain")
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		drain(response.Body)
		require.Contains(t, []int{http.StatusForbidden, http.StatusBadRequest}, response.StatusCode)
	})

	t.Run("other_users_cannot_read_its_state", func(t *testing.T) {
		onShared.enter(t)
		require.NoError(t, shared.start())
		found := map[string]bool{}
		require.NoError(t, filepath.WalkDir(shared.data, func(path string, entry fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) || path == shared.data { // the tests have made it
				return nil
			}
			require.NoError(t, err)
			if info, err := entry.Info(); err == nil {
				require.Zero(t, info.Mode().Perm()&0o077, "%s is %s", path, info.Mode())
				found[entry.Name()] = true
			}
			return nil
		}))
		for _, name := range []string{"stack.env", "secrets.env", "kafka", "temporal", "buckets", "warehouse.duckdb", "runs.sqlite", "stack.log"} {
			require.True(t, found[name], name)
		}
	})

	t.Run("busy_ports_are_all_named", func(t *testing.T) {
		t.Parallel()
		offset := freeOffset(t)
		for _, base := range []int{9092, 8090} {
			busy, err := net.Listen("tcp", "127.0.0.1:"+port(t, base, offset))
			require.NoError(t, err)
			defer busy.Close()
		}
		code, stdout, stderr := runProgram(t, t.TempDir(), nil, "local", "stack", "--data", t.TempDir(), "--port-offset", offset)
		require.Equal(t, 2, code, stderr)
		require.Empty(t, stdout, "nothing has started")
		for _, said := range []string{port(t, 9092, offset), "--kafka-port", port(t, 8090, offset), "--workspace-port"} {
			require.Contains(t, stderr, said)
		}
	})
}

func TestStartDev(t *testing.T) {
	t.Parallel()
	t.Run("serves_the_test_suite_of_the_sdk", func(t *testing.T) {
		onOwn.enter(t)
		server, err := testsuite.StartDevServer(t.Context(), testsuite.DevServerOptions{
			ExistingPath: filepath.Join(bin, "local"), ClientOptions: &client.Options{}, LogLevel: "error",
		})
		require.NoError(t, err)
		defer func() { require.NoError(t, server.Stop()) }()
		w := worker.New(server.Client(), "q", worker.Options{})
		greet := func(_ context.Context, name string) (string, error) { return "hello " + name, nil }
		w.RegisterActivity(greet)
		flow := func(ctx workflow.Context, name string) (string, error) {
			var greeting string
			ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: patience})
			err := workflow.ExecuteActivity(ctx, greet, name).Get(ctx, &greeting)
			return greeting, err
		}
		w.RegisterWorkflow(flow)
		require.NoError(t, w.Start())
		defer w.Stop()
		run, err := server.Client().ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{TaskQueue: "q"}, flow, "you")
		require.NoError(t, err)
		var greeting string
		require.NoError(t, run.Get(t.Context(), &greeting))
		require.Equal(t, "hello you", greeting)
	})
}

// askAs returns the status of a request to a server under another name.
func askAs(t *testing.T, url, host string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	request.Host = host
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	drain(response.Body)
	return response.StatusCode
}
