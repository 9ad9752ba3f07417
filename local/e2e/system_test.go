package e2e

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/joho/godotenv"
	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows"
)

// system is a stack with worker and gateway. The stack is the system's own or the shared one;
// worker, gateway, ports and directory are the system's own in any case.
type system struct {
	t      *testing.T
	data   string
	offset string
	env    []string // settings for all programs, the stack's and the test's
	stack  *process
	worker *process
	gate   *process
}

// startSystem starts a whole system, for a test that needs a stack of its own. settings, as
// NAME=value, come before the stack's.
func startSystem(t *testing.T, settings ...string) *system {
	t.Helper()
	s := newSystem(t)
	s.startStack(settings...)
	s.startPrograms()
	return s
}

func newSystem(t *testing.T) *system {
	t.Helper()
	return &system{t: t, data: t.TempDir(), offset: freeOffset(t)}
}

// startPrograms sets the system up and starts its worker and its gateway.
func (s *system) startPrograms() {
	s.t.Helper()
	s.must("setup")
	s.worker = s.start("workers")
	s.gate = s.start("gateway")
	s.waitHealthy("PINFLOW_GATEWAY_URL", "")
	s.waitHealthy("PINFLOW_WORKER_ADDRESS", "http://")
}

// startStack starts the stack on the system's data and reads its settings.
func (s *system) startStack(settings ...string) {
	s.t.Helper()
	stack, env, err := launchStack(s.data, s.offset)
	if stack != nil {
		s.stack = s.owned(stack)
	}
	require.NoError(s.t, err)
	s.env = append(env, settings...)
}

// launchStack starts a stack with more flags and returns it with its settings when it is ready.
func launchStack(data, offset string, flags ...string) (*process, []string, error) {
	file := filepath.Join(data, "stack.env")
	if err := os.RemoveAll(file); err != nil { // a stack that was killed has left it
		return nil, nil, err
	}
	if err := os.MkdirAll(data, 0o755); err != nil {
		return nil, nil, err
	}
	stack, err := launchProcess(data, []string{"PINFLOW_SPARK=" + os.Getenv("PINFLOW_SPARK")}, "local", append([]string{"stack", "--data", data, "--port-offset", offset}, flags...)...)
	if err != nil {
		return nil, nil, err
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(file); err == nil {
			break
		} else if !os.IsNotExist(err) || stack.ended() || time.Now().After(deadline) {
			return stack, nil, fmt.Errorf("the stack is not up: %w\n%s", err, stack.output)
		}
	}
	vars, err := godotenv.Read(file)
	var env []string
	for name, value := range vars {
		env = append(env, name+"="+value)
	}
	return stack, env, err
}

// setting returns one of the system's settings.
func (s *system) setting(name string) string {
	s.t.Helper()
	value := settingOf(s.env, name)
	require.NotEmpty(s.t, value, name)
	return value
}

// deployment is the system's deployment.
func (s *system) deployment() run.Deployment {
	return cmp.Or(run.Deployment(settingOf(s.env, "PINFLOW_DEPLOYMENT")), run.DefaultDeployment)
}

// settingOf is the last value that env gives the name, as for a process.
func settingOf(env []string, name string) (value string) {
	for _, pair := range env {
		if n, v, _ := strings.Cut(pair, "="); n == name {
			value = v
		}
	}
	return value
}

// aboutAllDAGs holds the commands that take no --dag.
var aboutAllDAGs = []string{"setup", "doctor", "dags", "notebooks", "emulate", "deploy", "version"}

// starter runs a command of the CLI to its end and returns its exit code and what it printed.
func (s *system) starter(args ...string) (code int, stdout, stderr string) {
	s.t.Helper()
	if !slices.Contains(aboutAllDAGs, args[0]) { // a build may have other DAGs, too
		args = append(args, "--dag", workflows.Daily.Name)
	}
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
				s.t.Fatalf("%s ended while waiting for: %s\n%s", p.name, what, p.output)
			}
		}
	}
}

// start starts a program that is ended with the test.
func (s *system) start(program string, args ...string) *process {
	s.t.Helper()
	p, err := launchProcess(s.data, s.env, program, args...)
	require.NoError(s.t, err)
	return s.owned(p)
}

// owned ends a process with the test, and shows what it said if the test has failed. A program in
// which the race detector has found something fails the test, however the program was ended.
func (s *system) owned(p *process) *process {
	s.t.Cleanup(func() {
		if !p.stop() {
			s.t.Errorf("%s did not end after SIGTERM", p.name)
		}
		if strings.Contains(p.output.String(), "WARNING: DATA RACE") {
			s.t.Errorf("%s has a data race", p.name)
		}
		if s.t.Failed() {
			s.t.Logf("%s said:\n%s", p.name, tail(p.output.String()))
		}
	})
	return p
}
