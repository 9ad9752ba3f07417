package e2e

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestDemo(t *testing.T) {
	t.Parallel()
	t.Run("gives_the_expected_answers_also_the_second_time", func(t *testing.T) {
		onOwn.enter(t)
		data, offset := t.TempDir(), freeOffset(t)
		for _, turn := range []string{"first", "second"} {
			out := t.TempDir()
			code, stdout, stderr := runProgram(t, data, nil, "starter", "demo", "--exit", "--data", data, "--port-offset", offset,
				"--posts", wire.posts(t), "--out", out)
			require.Zero(t, code, "%s time\n%s\n%s", turn, stdout, stderr)
			requireAnswers(t, wire.expected(t, 1), filepath.Join(out, "answers.json"))
			for _, said := range []string{"load", "clean_pin", "clean_geo", "clean_user", "query", "success", "The most popular category in each year"} {
				require.Contains(t, stdout, said)
			}
		}
		requireNothingLeft(t, data)
	})

	t.Run("built_in_posts", func(t *testing.T) {
		onOwn.enter(t)
		data, out := t.TempDir(), t.TempDir()
		versioned := []string{"PINFLOW_WORKER_VERSIONING=on"} // nobody promotes the worker of a demo
		code, stdout, stderr := runProgram(t, data, versioned, "starter", "demo", "--exit", "--data", data, "--port-offset", freeOffset(t), "--out", out)
		require.Zero(t, code, "%s\n%s", stdout, stderr)
		require.FileExists(t, filepath.Join(out, "answers.json"))
	})

	t.Run("signals_end_all_processes", func(t *testing.T) {
		t.Parallel()
		for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL} {
			t.Run(sig.String(), func(t *testing.T) {
				onOwn.enter(t)
				s := newSystem(t)
				demo := s.start("starter", "demo", "--data", s.data, "--port-offset", s.offset, "--posts", wire.posts(t))
				s.stack = demo
				s.eventually("the gateway is up", func() bool { return status("http://127.0.0.1:"+port(t, 8082, s.offset)+"/healthz") == 200 })
				demo.signal(sig)
				<-demo.done
				s.eventually("nothing is left", func() bool { return len(processesOf(t, s.data)) == 0 })
			})
		}
	})

	// The demo restarts its worker as ECS does, and the run goes on.
	t.Run("a_killed_worker_does_not_end_it", func(t *testing.T) {
		onOwn.enter(t)
		data, out := t.TempDir(), t.TempDir()
		demo, err := launchProcess(data, nil, "starter", "demo", "--exit", "--data", data, "--port-offset", freeOffset(t),
			"--posts", wire.posts(t), "--out", out)
		require.NoError(t, err)
		t.Cleanup(demo.kill)
		working := regexp.MustCompile(`load +running`)
		require.Eventually(t, func() bool { return working.MatchString(demo.output.String()) || demo.ended() }, patience, time.Millisecond)
		pids := pidsOf(t, data, "workers")
		require.Len(t, pids, 1, demo.output)
		require.NoError(t, syscall.Kill(pids[0], syscall.SIGKILL))
		select {
		case <-demo.done:
		case <-time.After(patience):
			require.Fail(t, "the demo hangs", "%s", demo.output)
		}
		require.Zero(t, demo.cmd.ProcessState.ExitCode(), "%s", demo.output)
		require.Contains(t, demo.output.String(), "workers ended (signal: killed); restarting it in 1s")
		require.Contains(t, demo.output.String(), "workers was restarted")
		requireAnswers(t, wire.expected(t, 1), filepath.Join(out, "answers.json"))
		requireNothingLeft(t, data)
	})

	t.Run("invalid_settings_of_the_worker_end_it", func(t *testing.T) {
		onOwn.enter(t)
		data := t.TempDir()
		code, stdout, stderr := runProgram(t, data, []string{"PINFLOW_WORKER_STOP_TIMEOUT=-1s"}, "starter", "demo", "--exit", "--data", data, "--port-offset", freeOffset(t))
		require.Equal(t, 2, code, "%s\n%s", stdout, stderr)
		require.Contains(t, stderr, "PINFLOW_WORKER_STOP_TIMEOUT")
		require.NotContains(t, stderr, "restarting")
		requireNothingLeft(t, data)
	})

	t.Run("busy_port_is_told_before_anything_starts", func(t *testing.T) {
		t.Parallel()
		for _, base := range []int{7233, 8082} {
			data, offset := t.TempDir(), freeOffset(t)
			busy, err := net.Listen("tcp", "127.0.0.1:"+port(t, base, offset))
			require.NoError(t, err)
			code, _, stderr := runProgram(t, data, nil, "starter", "demo", "--exit", "--data", data, "--port-offset", offset)
			require.NoError(t, busy.Close())
			require.Equal(t, 2, code, stderr)
			require.Contains(t, stderr, port(t, base, offset))
			require.NoFileExists(t, filepath.Join(data, "stack.env"))
		}
	})
}

// requireNothingLeft waits: a part of the stack ends when its parent has ended.
func requireNothingLeft(t *testing.T, data string) {
	t.Helper()
	require.Eventually(t, func() bool { return len(processesOf(t, data)) == 0 }, patience, 20*time.Millisecond)
}

// processesOf returns the command lines of the programs of these tests that have the directory open
// or in their environment.
func processesOf(t *testing.T, data string) []string {
	t.Helper()
	var found []string
	for _, dir := range procOf(t, data, "") {
		command, _ := os.ReadFile(dir + "/cmdline") // only to say more
		found = append(found, strings.ReplaceAll(string(command), "\x00", " "))
	}
	return found
}

// pidsOf returns the ids of the processes of a program that work in the directory.
func pidsOf(t *testing.T, data, program string) []int {
	t.Helper()
	var pids []int
	for _, dir := range procOf(t, data, program) {
		pid, err := strconv.Atoi(filepath.Base(dir))
		require.NoError(t, err)
		pids = append(pids, pid)
	}
	return pids
}

// procOf returns the directories in /proc of the programs of these tests that work in the
// directory; of one program, if it is given.
func procOf(t *testing.T, data, program string) []string {
	t.Helper()
	if _, err := os.Stat("/proc/self/environ"); err != nil {
		t.Skip("this test looks for processes in /proc, which this system does not have")
	}
	dirs, err := filepath.Glob("/proc/[0-9]*")
	require.NoError(t, err)
	return slices.DeleteFunc(dirs, func(dir string) bool {
		running, err := os.Readlink(dir + "/exe")
		if err != nil || !strings.HasPrefix(running, filepath.Join(bin, program)) {
			return true // ended meanwhile, or none of ours
		}
		at, err := os.Readlink(dir + "/cwd")
		return err != nil || !strings.HasPrefix(at, data)
	})
}
