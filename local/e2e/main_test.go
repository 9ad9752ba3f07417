// Package e2e runs the real programs on the embedded stack, as a user would: processes, HTTP, exit
// codes.
//
// Most tests are tenants of one stack that they share (tenant_test.go). Those that kill a stack, or
// start programs that bring their own, have a second lane beside it (lanes_test.go).
package e2e

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// patience bounds every wait; it is not an expectation of speed.
const patience = 3 * time.Minute

// bin is the absolute path of the programs that TestMain built, state that of their user's state
// directory.
var bin, state string

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := buildAndRun(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// buildAndRun builds the programs, runs the tests, and leaves no process and no file behind.
func buildAndRun(m *testing.M) (int, error) {
	root, err := os.MkdirTemp("", "pinflow-e2e-")
	if err != nil {
		return 1, err
	}
	defer func() { _ = os.RemoveAll(root) }() // a directory for temporary files
	if err := buildPrograms(); err != nil {
		return 1, err
	}
	fmt.Println("posts of these tests:", wire.name())
	if err := letLanesDecide(); err != nil {
		return 1, err
	}
	shared.data, state = filepath.Join(root, "shared"), filepath.Join(root, "state")
	code := m.Run()
	return code, shared.stop()
}

// buildPrograms builds Pinflow's programs with the race detector. The stack is built without:
// SQLite and Temporal's server would cost minutes. The programs stay where they are built, so that
// Go links only those that have changed since the last time; without symbols the stack links in
// half the time.
func buildPrograms() (err error) {
	if bin, err = filepath.Abs("../../bin/e2e"); err != nil {
		return err
	}
	for _, build := range []struct {
		dir  string
		args []string
	}{
		{"../..", buildArgs(commit, bin+"/", "./starter", "./workers", "./gateway")},
		{"..", []string{"build", "-ldflags", "-s -w", "-o", bin + "/local", "."}},
	} {
		if err := buildProgram(build.dir, build.args); err != nil {
			return err
		}
	}
	return nil
}

// commit is that of the programs, whether or not the tests run in a git repository.
const commit = "0000001"

// buildArgs returns the arguments of a build with the race detector, of that commit.
func buildArgs(commit, out string, packages ...string) []string {
	ldflags := "-s -w -X github.com/pinflow/pinflow/internal/config.Commit=" + commit
	return append([]string{"build", "-race", "-buildvcs=false", "-ldflags", ldflags, "-o", out}, packages...)
}

func buildProgram(dir string, args []string) error {
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}
