package demo

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/starter/exit"
)

// crew is processes whose program "workers" is a shell script.
type crew struct {
	*processes
	mu   sync.Mutex
	said []string
}

func newCrew(t *testing.T, script string) *crew {
	t.Helper()
	dir := t.TempDir()
	c := &crew{}
	c.processes = &processes{dir: dir, logs: dir, pause: time.Millisecond, lost: make(chan error, 1), ending: make(chan struct{}), report: func(format string, args ...any) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.said = append(c.said, fmt.Sprintf(format, args...))
	}}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "workers"), []byte("#!/bin/sh\ncd "+dir+"\necho start >> starts\n"+script), 0o755))
	t.Cleanup(c.stop)
	return c
}

func (c *crew) starts(t *testing.T) int {
	text, err := os.ReadFile(filepath.Join(c.dir, "starts"))
	if errors.Is(err, os.ErrNotExist) {
		return 0
	}
	require.NoError(t, err)
	return strings.Count(string(text), "start")
}

func (c *crew) output() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Join(c.said, "\n")
}

const soon = 20 * time.Second

func TestServe(t *testing.T) {
	t.Run("restarts_a_program_that_was_killed", func(t *testing.T) {
		c := newCrew(t, "read line\n") // until its standard input ends
		require.NoError(t, c.serve("workers"))
		require.Eventually(t, func() bool { return c.starts(t) == 1 }, soon, time.Millisecond)
		c.processes.mu.Lock()
		killed := c.all[0]
		c.processes.mu.Unlock()
		require.NoError(t, killed.cmd.Process.Kill())
		require.Eventually(t, func() bool { return c.starts(t) == 2 }, soon, time.Millisecond)
		require.Eventually(t, func() bool { return strings.Contains(c.output(), "workers was restarted") }, soon, time.Millisecond)
		require.Contains(t, c.output(), "workers ended (signal: killed); restarting it in 1ms. Its log: ")
		c.stop()
		require.Equal(t, 2, c.starts(t), "what the demo ends is not restarted")
		require.Empty(t, c.lost)
	})

	t.Run("gives_up_a_program_that_keeps_ending", func(t *testing.T) {
		c := newCrew(t, "echo broken; exit 1\n")
		require.NoError(t, c.serve("workers"))
		select {
		case err := <-c.lost:
			require.ErrorContains(t, err, "workers ended (exit status 1)")
			require.ErrorContains(t, err, "broken")
		case <-time.After(soon):
			t.Fatal("the program is not lost")
		}
		require.Equal(t, 1+maxQuick, c.starts(t))
		require.Contains(t, c.output(), "restarting it in 16ms", "the pauses grow")
		log, err := os.ReadFile(filepath.Join(c.logs, "workers.log"))
		require.NoError(t, err)
		require.Equal(t, 1+maxQuick, strings.Count(string(log), "broken"), "a restart keeps the log")
	})

	t.Run("does_not_restart_with_invalid_settings", func(t *testing.T) {
		c := newCrew(t, "echo 'workers: PINFLOW_COMPUTE is wrong'; exit 2\n")
		require.NoError(t, c.serve("workers"))
		select {
		case err := <-c.lost:
			require.EqualError(t, err, "workers: PINFLOW_COMPUTE is wrong")
			var lost *lostProcess
			require.ErrorAs(t, err, &lost)
			require.Equal(t, exit.Usage, lost.code)
		case <-time.After(soon):
			t.Fatal("the program is not lost")
		}
		require.Equal(t, 1, c.starts(t))
		require.Empty(t, c.output())
	})

	t.Run("starts_nothing_while_the_demo_ends", func(t *testing.T) {
		c := newCrew(t, "exit 1\n")
		c.pause = time.Hour
		require.NoError(t, c.serve("workers"))
		require.Eventually(t, func() bool { return strings.Contains(c.output(), "restarting it") }, soon, time.Millisecond)
		c.stop()
		require.ErrorIs(t, c.serve("workers"), errEnding)
		require.Equal(t, 1, c.starts(t))
		require.Empty(t, c.lost)
	})
}
