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
	dir    string                           // of the programs
	logs   string                           // directory of their logs
	report func(format string, args ...any) // says that a service was restarted
	pause  time.Duration                    // before the first restart of a service
	mu     sync.Mutex
	all    []*process
	lost   chan error // the first program that ended by itself, and is not restarted
	ending chan struct{}
}

// process is one running program.
type process struct {
	name    string
	args    []string
	service bool // it is restarted if it ends
	cmd     *exec.Cmd
	stdin   io.Closer
	done    chan struct{}
	log     string
	asked   bool // it was asked to end
	began   time.Time
	quick   int // how often in a row it has been restarted soon after its start
}

// newProcesses finds the programs beside the starter itself.
func newProcesses(data string, report func(format string, args ...any)) (*processes, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("path of this program: %w", err)
	}
	p := &processes{
		dir: filepath.Dir(self), logs: filepath.Join(data, "logs"), report: report, pause: restartPause,
		lost: make(chan error, 1), ending: make(chan struct{}),
	}
	for _, program := range []string{"local", "workers", "gateway"} {
		if _, err := os.Stat(filepath.Join(p.dir, program)); err != nil {
			return nil, fmt.Errorf("the demo needs the program %q beside %s: build both with `make build`", program, self)
		}
	}
	return p, os.MkdirAll(p.logs, 0o700)
}

// start starts a program with its output in <logs>/<name>.log. If it ends by itself, it is lost.
func (p *processes) start(name string, args ...string) error {
	return p.launch(&process{name: name, args: args}, os.O_TRUNC)
}

// launch starts a program. mode is os.O_TRUNC or os.O_APPEND: what happens to the log of before.
func (p *processes) launch(next *process, mode int) (err error) {
	next.log, next.done, next.began = filepath.Join(p.logs, next.name+".log"), make(chan struct{}), time.Now()
	log, err := os.OpenFile(next.log, os.O_CREATE|os.O_WRONLY|mode, 0o600)
	if err != nil {
		return err
	}
	defer log.Close() // the program has a handle of its own
	next.cmd = exec.Command(filepath.Join(p.dir, next.name), next.args...)
	next.cmd.Env = append(os.Environ(), "PINFLOW_EXIT_WITH_STDIN=1")
	next.cmd.Stdout, next.cmd.Stderr = log, log
	// A process group of its own: Ctrl-C reaches the demo alone, which ends the programs in order.
	next.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if next.stdin, err = next.cmd.StdinPipe(); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.isEnding() {
		return errEnding
	}
	if err := next.cmd.Start(); err != nil {
		return fmt.Errorf("cannot start %s: %w", next.name, err)
	}
	p.all = append(p.all, next)
	go p.watch(next)
	return nil
}

// watch restarts a service that ends, and reports any other program that ends by itself.
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
	if started.service && p.restart(started, err) {
		return
	}
	select {
	case p.lost <- &lostProcess{name: started.name, err: err, code: started.cmd.ProcessState.ExitCode(), log: started.log}:
	default: // the first one is the cause
	}
}

// stop ends all programs, the last started first, and waits for their end.
func (p *processes) stop() {
	p.mu.Lock()
	if !p.isEnding() {
		close(p.ending)
	}
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
