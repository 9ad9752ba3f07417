package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// child is a process that ends with this one. It watches its standard input.
type child struct {
	cmd   *exec.Cmd
	stdin io.Closer
	done  chan struct{}
	err   error // how it ended; set before done is closed
}

// startChild starts cmd as a child in a process group of its own: Ctrl-C in a terminal goes to the whole foreground group, and would end the child
// while its parent still needs it. cmd must have no Stdin; its environment is cmd.Env, or that of this process, and PINFLOW_EXIT_WITH_STDIN=1.
func startChild(cmd *exec.Cmd) (*child, error) {
	if cmd.Env == nil {
		cmd.Env = os.Environ()
	}
	cmd.Env = append(cmd.Env, "PINFLOW_EXIT_WITH_STDIN=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	c := &child{cmd: cmd, stdin: stdin, done: make(chan struct{})}
	go func() {
		c.err = cmd.Wait()
		close(c.done)
	}()
	return c, nil
}

// PID is the child's process id.
func (c *child) PID() int { return c.cmd.Process.Pid }

// Done is closed when the child has ended.
func (c *child) Done() <-chan struct{} { return c.done }

// Err says how the child ended: nil is exit status 0. It waits until the child has ended.
func (c *child) Err() error {
	<-c.done
	return c.err
}

// Stop ends the child's standard input, waits for it to end, and kills it after grace.
func (c *child) Stop(grace time.Duration) error {
	_ = c.stdin.Close() // fails only if Wait has closed it already
	select {
	case <-c.done:
		return c.err
	case <-time.After(grace):
	}
	if err := c.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("end process %d: %w", c.PID(), err)
	}
	<-c.done
	return fmt.Errorf("process %d did not end within %s and was killed", c.PID(), grace)
}

// untilParentEnds returns a context that ends with standard input, which the parent holds.
func untilParentEnds() (context.Context, context.CancelFunc) {
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // an input that cannot be read has no writer either
		stop()
	}()
	return ctx, stop
}
