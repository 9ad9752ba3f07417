package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/pinflow/pinflow/starter/exit"
)

// drainTime is how long a program may take to end before it is killed. The worker's own limit is
// longer, but at the end of the demo nothing runs.
const drainTime = 20 * time.Second

// processes holds the programs that the demo started, in the order of their start. None of them
// outlives the demo: each reads its standard input, and ends when that ends, even if the demo was
// killed.
type processes struct {
	dir  string // of the programs
	logs string // directory of their logs
	mu   sync.Mutex
	all  []*process
	lost chan error // the first program that ended by itself
}

// process is one running program.
type process struct {
	name  string
	cmd   *exec.Cmd
	stdin io.Closer
	done  chan struct{}
	log   string
	asked bool // it was asked to end
}

// newProcesses finds the programs beside the starter itself.
func newProcesses(data string) (*processes, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("path of this program: %w", err)
	}
	p := &processes{dir: filepath.Dir(self), logs: filepath.Join(data, "logs"), lost: make(chan error, 1)}
	for _, program := range []string{"local", "workers", "gateway"} {
		if _, err := os.Stat(filepath.Join(p.dir, program)); err != nil {
			return nil, fmt.Errorf("the demo needs the program %q beside %s: build both with `make build`", program, self)
		}
	}
	return p, os.MkdirAll(p.logs, 0o755)
}

// start starts a program with its output in <logs>/<name>.log.
func (p *processes) start(name string, args ...string) (*process, error) {
	logPath := filepath.Join(p.logs, name+".log")
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close() // the program has a handle of its own
	started := &process{name: name, cmd: exec.Command(filepath.Join(p.dir, name), args...), done: make(chan struct{}), log: logPath}
	started.cmd.Env = append(os.Environ(), "PINFLOW_EXIT_WITH_STDIN=1")
	started.cmd.Stdout, started.cmd.Stderr = log, log
	// A process group of its own: Ctrl-C reaches the demo alone, which ends the programs in order.
	started.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if started.stdin, err = started.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := started.cmd.Start(); err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", name, err)
	}
	p.mu.Lock()
	p.all = append(p.all, started)
	p.mu.Unlock()
	go p.watch(started)
	return started, nil
}

// watch reports a program that ends by itself.
func (p *processes) watch(started *process) {
	err := started.cmd.Wait()
	close(started.done)
	p.mu.Lock()
	asked := started.asked
	p.mu.Unlock()
	if asked {
		return
	}
	if err == nil {
		err = errors.New("exit status 0")
	}
	select {
	case p.lost <- &lostProcess{name: started.name, err: err, code: started.cmd.ProcessState.ExitCode(), log: started.log}:
	default: // the first one is the cause
	}
}

// stop ends all programs, the last started first, and waits for their end.
func (p *processes) stop() {
	p.mu.Lock()
	all := p.all
	p.all = nil
	for _, each := range all {
		each.asked = true
	}
	p.mu.Unlock()
	for i := len(all) - 1; i >= 0; i-- {
		each := all[i]
		_ = each.cmd.Process.Signal(syscall.SIGTERM) // fails if the program has already ended
		each.stdin.Close()
		select {
		case <-each.done:
		case <-time.After(drainTime):
			_ = each.cmd.Process.Kill()
			<-each.done
		}
	}
}

// until returns a context that ends when a program is lost, with that as its cause.
func (p *processes) until(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		select {
		case err := <-p.lost:
			cancel(err)
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(context.Canceled) }
}

// lostProcess is the error of a program that ended by itself.
type lostProcess struct {
	name, log string
	err       error
	code      int
}

func (e *lostProcess) Error() string {
	said := lastLines(e.log, 12)
	if e.code == exit.Usage && said != "" { // the stack's message about a busy port, or a data directory in use
		return said
	}
	return fmt.Sprintf("%s ended (%v); the end of %s:\n%s", e.name, e.err, e.log, said)
}

func (e *lostProcess) Unwrap() error { return e.err }

// lastLines returns the last n lines of a file, as much as can be read of it.
func lastLines(path string, n int) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
