package e2e

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"testing"

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
