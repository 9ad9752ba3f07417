package bench

import (
	"bytes"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"

	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/internal/search"
)

// patience bounds every wait; it is not an expectation of speed.
const patience = time.Minute

// quiet drops the SDK's own lines, as of polls of a server that ends.
var quiet = log.NewStructuredLogger(slog.New(slog.DiscardHandler))

// world is a Temporal server on a database of its own, and one worker, each a process.
type world struct {
	client.Client
	server, worker *exec.Cmd
}

// newWorld starts the embedded stack's Temporal, with its settings and SQLite on disk, and the
// benchmarks' worker.
func newWorld(b *testing.B) world {
	b.Helper()
	port := freePort(b)
	args := []string{"server", "start-dev", "--headless", "--log-level", "never", "--port", port, "--db-filename", filepath.Join(b.TempDir(), "temporal.db")}
	for _, a := range search.Attributes() {
		args = append(args, "--search-attribute", a.Name+"="+a.Type.String())
	}
	var w world
	w.server = start(b, exec.Command(filepath.Join(bin, "local"), args...))
	address := "127.0.0.1:" + port
	eventually(b, "the server answers", func() bool {
		c, err := client.Dial(client.Options{HostPort: address, Logger: quiet})
		w.Client = c
		return err == nil
	})
	b.Cleanup(w.Close)
	self, err := os.Executable()
	require.NoError(b, err)
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), workerAddress+"="+address)
	w.worker = start(b, cmd)
	run, err := w.ExecuteWorkflow(b.Context(), client.StartWorkflowOptions{TaskQueue: run.DefaultDeployment.TaskQueue()}, handWritten)
	require.NoError(b, err)
	require.NoError(b, run.Get(b.Context(), nil), "the worker works")
	return w
}

// start starts a process that ends with the benchmark: when its standard input ends, and at the
// latest after patience.
func start(b *testing.B, cmd *exec.Cmd) *exec.Cmd {
	b.Helper()
	if cmd.Env == nil {
		cmd.Env = os.Environ()
	}
	cmd.Env = append(cmd.Env, "PINFLOW_EXIT_WITH_STDIN=1")
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	require.NoError(b, err)
	require.NoError(b, cmd.Start())
	b.Cleanup(func() {
		kill := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
		defer kill.Stop()
		_ = stdin.Close()
		_ = cmd.Wait() // it has measured what it should
	})
	return cmd
}

func freePort(b *testing.B) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(b, err)
	return port
}

func eventually(b *testing.B, what string, holds func() bool) {
	b.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(20 * time.Millisecond) {
		require.True(b, time.Now().Before(deadline), "waited in vain: %s", what)
	}
}

// memory is a process's resident memory in bytes, as the kernel counts it: now, the most it ever
// was, and what of it is no file's.
type memory struct{ now, peak, anonymous int64 }

// memoryOf reads the memory of a process. Only Linux tells it this way.
func memoryOf(b *testing.B, of *exec.Cmd) memory {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", of.Process.Pid))
	require.NoError(b, err, "memory is read from /proc, which only Linux has")
	field := func(name string) int64 {
		for line := range bytes.Lines(status) {
			if value, ok := bytes.CutPrefix(line, []byte(name+":")); ok {
				kb, err := strconv.ParseInt(string(bytes.Fields(value)[0]), 10, 64)
				require.NoError(b, err)
				return kb << 10
			}
		}
		b.Fatalf("no %s in %s", name, status)
		return 0
	}
	return memory{now: field("VmRSS"), peak: field("VmHWM"), anonymous: field("RssAnon")}
}

// mb writes bytes as megabytes.
func mb(n int64) string { return fmt.Sprintf("%.0f MB", float64(n)/1e6) }
