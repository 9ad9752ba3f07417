package workspace

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/databricks/databricks-sdk-go/service/workspace"
	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/local/engine"
)

// childData makes the test binary a workspace that runs until it is killed: it prints its URL when
// it serves, and a line when a notebook starts.
const childData = "WORKSPACE_TEST_CHILD_DATA"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childData); dir != "" {
		serveChild(dir)
		return
	}
	os.Exit(m.Run())
}

func serveChild(dir string) {
	server, err := New(context.Background(), Options{
		Address: "127.0.0.1:0", DataDir: dir, Token: testToken, WarehouseID: testWarehouse,
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Engine: &fakeEngine{runNotebook: func(ctx context.Context, source string, _ map[string]string) (*engine.Table, error) {
			if !strings.Contains(source, "slow") {
				return &engine.Table{}, nil
			}
			fmt.Println("started")
			<-ctx.Done()
			return nil, ctx.Err()
		}},
	})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(server.URL())
	if err := server.Serve(context.Background()); err != nil {
		os.Exit(1)
	}
}

func TestRestart(t *testing.T) {
	t.Parallel()
	t.Run("after_kill_keeps_ended_runs_and_fails_active_ones", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), childData+"="+dir)
		stdout, err := child.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, child.Start())
		killed := false
		t.Cleanup(func() {
			if !killed {
				require.NoError(t, child.Process.Kill())
				_ = child.Wait() // killed, as was meant
			}
		})
		lines := bufio.NewScanner(stdout)
		require.True(t, lines.Scan())
		url := lines.Text()

		c := newClient(t, url, testToken)
		w := &testWorkspace{t: t, jobs: jobs.NewJobs(c), tree: workspace.NewWorkspace(c)}
		w.importSQL("/Shared/fast", "fast")
		w.importSQL("/Shared/slow", "slow")
		ended := w.submit(jobs.SubmitRun{IdempotencyToken: "ended", Tasks: []jobs.SubmitTask{notebookTask("a", "/Shared/fast")}})
		endedRun := w.waitEnded(ended)
		slow := jobs.SubmitRun{IdempotencyToken: "slow", Tasks: []jobs.SubmitTask{notebookTask("a", "/Shared/slow"), notebookTask("b", "/Shared/fast", "a")}}
		active := w.submit(slow)
		require.True(t, lines.Scan())
		require.Equal(t, "started", lines.Text())
		require.NoError(t, child.Process.Kill())
		_ = child.Wait() // killed, as was meant
		killed = true

		w = startWorkspace(t, Options{DataDir: dir})
		after := w.get(ended)
		require.Equal(t, endedRun.EndTime, after.EndTime)
		require.Equal(t, endedRun.State, after.State)
		failed := w.get(active)
		require.Equal(t, jobs.RunLifeCycleStateInternalError, failed.State.LifeCycleState)
		require.Equal(t, jobs.RunResultStateFailed, failed.State.ResultState)
		require.Equal(t, jobs.RunLifecycleStateV2StateTerminated, failed.Status.State)
		require.Equal(t, jobs.TerminationCodeCodeInternalError, failed.Status.TerminationDetails.Code)
		require.Contains(t, failed.State.StateMessage, "restarted")
		require.NotZero(t, failed.EndTime)
		for _, task := range failed.Tasks {
			require.Equal(t, jobs.RunResultStateFailed, task.State.ResultState)
		}
		require.Equal(t, active, w.submit(slow), "a token keeps its run over a restart")
		content, _ := w.export("/Shared/slow")
		require.Contains(t, content, "slow")
		fresh := w.submit(jobs.SubmitRun{Tasks: []jobs.SubmitTask{notebookTask("a", "/Shared/fast")}})
		require.Greater(t, fresh, active, "ids are never used again")
		require.Equal(t, jobs.RunResultStateSuccess, w.waitEnded(fresh).State.ResultState)
	})
}

func TestStop(t *testing.T) {
	t.Parallel()
	t.Run("waits_for_running_notebooks", func(t *testing.T) {
		t.Parallel()
		block := newBlocking()
		dir := t.TempDir()
		w := startWorkspace(t, Options{DataDir: dir, DrainTimeout: time.Minute, Engine: &fakeEngine{runNotebook: block.run}})
		w.importSQL("/Shared/a", "SELECT 1")
		id := w.submit(jobs.SubmitRun{Tasks: []jobs.SubmitTask{notebookTask("a", "/Shared/a")}})
		<-block.started
		stopped := make(chan struct{})
		go func() {
			defer close(stopped)
			w.stop()
		}()
		for refused := false; !refused; { // the stop has begun when the port is closed
			connection, err := net.Dial("tcp", strings.TrimPrefix(w.URL(), "http://"))
			if refused = err != nil; !refused {
				require.NoError(t, connection.Close())
			}
		}
		close(block.released)
		<-stopped
		w = startWorkspace(t, Options{DataDir: dir})
		require.Equal(t, jobs.RunResultStateSuccess, w.get(id).State.ResultState)
	})

	t.Run("interrupts_notebooks_that_take_too_long", func(t *testing.T) {
		t.Parallel()
		block := newBlocking()
		dir := t.TempDir()
		w := startWorkspace(t, Options{DataDir: dir, DrainTimeout: time.Millisecond, Engine: &fakeEngine{runNotebook: block.run}})
		w.importSQL("/Shared/a", "SELECT 1")
		id := w.submit(jobs.SubmitRun{Tasks: []jobs.SubmitTask{notebookTask("a", "/Shared/a")}})
		<-block.started
		w.stop()
		w = startWorkspace(t, Options{DataDir: dir})
		found := w.get(id)
		require.Equal(t, jobs.TerminationCodeCodeInternalError, found.Status.TerminationDetails.Code)
		require.Contains(t, found.State.StateMessage, "stopped")
	})
}

func TestNew(t *testing.T) {
	t.Parallel()
	t.Run("names_missing_options", func(t *testing.T) {
		t.Parallel()
		complete := Options{Address: "127.0.0.1:0", DataDir: t.TempDir(), Token: testToken, WarehouseID: testWarehouse, Engine: &fakeEngine{}}
		for name, change := range map[string]func(*Options){
			"address":   func(o *Options) { o.Address = "" },
			"directory": func(o *Options) { o.DataDir = "" },
			"token":     func(o *Options) { o.Token = "" },
			"warehouse": func(o *Options) { o.WarehouseID = "" },
		} {
			o := complete
			change(&o)
			_, err := New(t.Context(), o)
			require.ErrorContains(t, err, name)
		}
	})

	t.Run("reports_a_port_in_use", func(t *testing.T) {
		t.Parallel()
		w := startWorkspace(t, Options{})
		address := strings.TrimPrefix(w.URL(), "http://")
		_, err := New(t.Context(), Options{Address: address, DataDir: t.TempDir(), Token: testToken, WarehouseID: testWarehouse, Engine: &fakeEngine{}})
		require.ErrorContains(t, err, address)
		require.ErrorContains(t, err, "in use")
	})
}
