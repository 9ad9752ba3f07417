package e2e

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// process is a program that runs in the background.
type process struct {
	name    string
	cmd     *exec.Cmd
	output  *output
	done    chan struct{}
	stopped bool
}

// output is what a process has said so far. It may be read while the process runs.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// launchProcess starts a program. It ends with this process at the latest, even if that is killed:
// it reads its standard input, which ends then.
func launchProcess(dir string, env []string, program string, args ...string) (*process, error) {
	p := &process{name: program, output: &output{}, done: make(chan struct{})}
	p.cmd = exec.Command(filepath.Join(bin, program), args...)
	p.cmd.Dir, p.cmd.Env = dir, append(environment(env), "PINFLOW_EXIT_WITH_STDIN=1")
	p.cmd.Stdout, p.cmd.Stderr = p.output, p.output
	if _, err := p.cmd.StdinPipe(); err != nil { // Wait closes it
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = p.cmd.Wait() // the exit code is read from ProcessState
		close(p.done)
	}()
	return p, nil
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// stop ends the process as an operator would, with SIGTERM, and kills it if it hangs. It reports
// whether the process ended by itself.
func (p *process) stop() bool {
	p.signal(syscall.SIGTERM)
	select {
	case <-p.done:
		return true
	case <-time.After(patience):
		p.kill()
		return false
	}
}

// kill ends the process with SIGKILL and waits until it is gone.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.done
}

func (p *process) signal(sig os.Signal) {
	p.stopped = true
	if !p.ended() {
		_ = p.cmd.Process.Signal(sig) // a process that has just ended cannot take it, and need not
	}
}

// runProgram runs a program to its end.
func runProgram(t *testing.T, dir string, env []string, program string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, filepath.Join(bin, program), args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, environment(env), &out, &errs
	err := cmd.Run()
	require.NoError(t, ctx.Err(), "%s %s hangs\n%s\n%s", program, strings.Join(args, " "), out.String(), errs.String())
	if cmd.ProcessState == nil {
		require.NoError(t, err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// ownSettings holds the prefixes of variables that the programs get from the tests alone.
var ownSettings = []string{"PINFLOW_", "TEMPORAL_", "AWS_", "DATABRICKS_", "XDG_STATE_HOME"}

// environment is this process's, less any settings of Pinflow that a developer has exported, and
// with env. A program with the race detector sleeps for a second when it ends, in case that a race
// shows then. A hundred commands end in these tests.
func environment(env []string) []string {
	all := []string{"GORACE=atexit_sleep_ms=10", "XDG_STATE_HOME=" + state}
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		if !slices.ContainsFunc(ownSettings, func(prefix string) bool { return strings.HasPrefix(name, prefix) }) {
			all = append(all, pair)
		}
	}
	return append(all, env...)
}

func tail(text string) string {
	const most = 8000
	if len(text) > most {
		return "…" + text[len(text)-most:]
	}
	return text
}

// drain reads what is left of a body, so that its connection can be used again.
func drain(body io.ReadCloser) {
	_, _ = io.Copy(io.Discard, body)
	body.Close()
}
