package e2e

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

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
			for _, said := range []string{"load", "clean_pin", "clean_geo", "clean_user", "query", "success", "The most popular category in each year", "http://127.0.0.1:"} {
				require.Contains(t, stdout, said)
			}
		}
		requireNothingLeft(t, data)
	})

	t.Run("built_in_posts", func(t *testing.T) {
		onOwn.enter(t)
		data, out := t.TempDir(), t.TempDir()
		code, stdout, stderr := runProgram(t, data, nil, "starter", "demo", "--exit", "--data", data, "--port-offset", freeOffset(t), "--out", out)
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

func requireNothingLeft(t *testing.T, data string) {
	t.Helper()
	require.Empty(t, processesOf(t, data))
}

// processesOf returns the command lines of the programs of these tests that have the directory open
// or in their environment.
func processesOf(t *testing.T, data string) []string {
	t.Helper()
	if _, err := os.Stat("/proc/self/environ"); err != nil {
		t.Skip("this test looks for processes in /proc, which this system does not have")
	}
	var found []string
	dirs, err := filepath.Glob("/proc/[0-9]*")
	require.NoError(t, err)
	for _, dir := range dirs {
		program, err := os.Readlink(dir + "/exe")
		if err != nil || !strings.HasPrefix(program, bin) {
			continue // ended meanwhile, or none of ours
		}
		if at, err := os.Readlink(dir + "/cwd"); err == nil && strings.HasPrefix(at, data) {
			command, _ := os.ReadFile(dir + "/cmdline") // only to say more
			found = append(found, strings.ReplaceAll(string(command), "\x00", " "))
		}
	}
	return found
}
