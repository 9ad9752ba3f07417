// Package e2e runs the real programs on the embedded stack, as a user would: processes, HTTP, exit codes.
package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/joho/godotenv"
	"github.com/stretchr/testify/require"
)

// patience bounds every wait; it is not an expectation of speed.
const patience = 3 * time.Minute

// bin holds the programs that TestMain built.
var bin string

func TestMain(m *testing.M) {
	code, err := buildAndRun(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// buildAndRun builds Pinflow's programs with the race detector. The stack is built without: SQLite and Temporal's server would cost minutes.
func buildAndRun(m *testing.M) (int, error) {
	var err error
	if bin, err = os.MkdirTemp("", "pinflow-e2e-"); err != nil {
		return 1, err
	}
	defer func() { _ = os.RemoveAll(bin) }() // a directory for temporary files
	for _, build := range []struct {
		dir  string
		args []string
	}{
		{"../..", []string{"build", "-race", "-o", bin + "/", "./starter", "./workers", "./gateway"}},
		{"..", []string{"build", "-o", bin + "/local", "."}},
	} {
		cmd := exec.Command("go", build.args...)
		cmd.Dir = build.dir
		if out, err := cmd.CombinedOutput(); err != nil {
			return 1, fmt.Errorf("go %s: %w\n%s", strings.Join(build.args, " "), err, out)
		}
	}
	fmt.Println("posts of these tests:", wire.name())
	return m.Run(), nil
}

// system is a running stack with worker and gateway, in a directory and on ports of its own.
type system struct {
	t      *testing.T
	data   string
	offset string
	env    []string // settings for all programs, the stack's and the test's
	stack  *process
	worker *process
	gate   *process
}

// startSystem starts everything and sets it up. settings, as NAME=value, come before the stack's.
func startSystem(t *testing.T, settings ...string) *system {
	t.Helper()
	s := &system{t: t, data: t.TempDir(), offset: freeOffset(t)}
	s.startStack(settings...)
	s.must("setup")
	s.worker = s.start("workers")
	s.gate = s.start("gateway")
	s.waitHealthy("PINFLOW_GATEWAY_URL", "")
	s.waitHealthy("PINFLOW_WORKER_ADDRESS", "http://")
	return s
}

// startStack starts the stack on the system's data and reads its settings.
func (s *system) startStack(settings ...string) {
	s.t.Helper()
	s.env = nil
	file := filepath.Join(s.data, "stack.env")
	require.NoError(s.t, os.RemoveAll(file)) // a stack that was killed has left it
	s.stack = s.start("local", "stack", "--data", s.data, "--port-offset", s.offset)
	s.eventually("the stack is up", func() bool {
		_, err := os.Stat(file)
		return err == nil && !s.stack.ended()
	})
	vars, err := godotenv.Read(file)
	require.NoError(s.t, err)
	for name, value := range vars {
		s.env = append(s.env, name+"="+value)
	}
	s.env = append(s.env, settings...)
}

// setting returns one of the system's settings.
func (s *system) setting(name string) string {
	value := ""
	for _, pair := range s.env {
		if n, v, _ := strings.Cut(pair, "="); n == name {
			value = v
		}
	}
	require.NotEmpty(s.t, value, name)
	return value
}

// starter runs a command of the CLI to its end and returns its exit code and what it printed.
func (s *system) starter(args ...string) (code int, stdout, stderr string) {
	s.t.Helper()
	return runProgram(s.t, s.data, s.env, "starter", args...)
}

// must runs a command of the CLI that has to succeed and returns what it printed.
func (s *system) must(args ...string) string {
	s.t.Helper()
	code, stdout, stderr := s.starter(args...)
	require.Zero(s.t, code, "starter %s\n%s\n%s", strings.Join(args, " "), stdout, stderr)
	return stdout
}

func (s *system) waitHealthy(setting, scheme string) {
	s.t.Helper()
	url := scheme + s.setting(setting) + "/healthz"
	s.eventually(url, func() bool { return status(url) == 200 })
}

// eventually waits for something that has no event to wait for.
func (s *system) eventually(what string, holds func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(20 * time.Millisecond) {
		require.True(s.t, time.Now().Before(deadline), "waited in vain: %s", what)
		for _, p := range []*process{s.stack, s.worker, s.gate} {
			if p != nil && !p.stopped && p.ended() {
				s.t.Fatalf("%s ended while waiting for: %s\n%s", p.name, what, p.output.String())
			}
		}
	}
}

// process is a program that runs in the background and is ended with the test.
type process struct {
	name    string
	cmd     *exec.Cmd
	output  *bytes.Buffer
	done    chan struct{}
	stopped bool
}

func (s *system) start(program string, args ...string) *process {
	s.t.Helper()
	p := &process{name: program, output: &bytes.Buffer{}, done: make(chan struct{})}
	p.cmd = exec.Command(filepath.Join(bin, program), args...)
	p.cmd.Dir, p.cmd.Env = s.data, environment(s.env)
	p.cmd.Stdout, p.cmd.Stderr = p.output, p.output
	require.NoError(s.t, p.cmd.Start())
	go func() {
		_ = p.cmd.Wait() // the exit code is read from ProcessState
		close(p.done)
	}()
	s.t.Cleanup(func() {
		p.stop(s.t)
		if s.t.Failed() {
			s.t.Logf("%s said:\n%s", program, tail(p.output.String()))
		}
	})
	return p
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// stop ends the process as an operator would, with SIGTERM, and kills it if it hangs.
func (p *process) stop(t *testing.T) {
	p.signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(patience):
		p.signal(syscall.SIGKILL)
		<-p.done
		t.Errorf("%s did not end after SIGTERM\n%s", p.name, tail(p.output.String()))
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

// run runs a program to its end.
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

// environment is this process's, less any settings of Pinflow that a developer has exported, and with env.
func environment(env []string) []string {
	var all []string
	for _, pair := range os.Environ() {
		if !strings.HasPrefix(pair, "PINFLOW_") && !strings.HasPrefix(pair, "TEMPORAL_") && !strings.HasPrefix(pair, "AWS_") && !strings.HasPrefix(pair, "DATABRICKS_") {
			all = append(all, pair)
		}
	}
	return append(all, env...)
}

// freeOffset finds an offset at which all of the stack's default ports are free.
func freeOffset(t *testing.T) string {
	t.Helper()
	for offset := 1000 + os.Getpid()%1000*7; offset < 50000; offset += 97 {
		if portsFree(offset) {
			return fmt.Sprint(offset)
		}
	}
	t.Fatal("no free ports")
	return ""
}

func portsFree(offset int) bool {
	for _, port := range []int{7233, 8233, 9092, 9000, 8090, 8082, 9464} {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port+offset))
		if err != nil {
			return false
		}
		l.Close()
	}
	return true
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
