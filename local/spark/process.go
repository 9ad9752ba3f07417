package spark

import (
	"bufio"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"
)

//go:embed driver.py
var driver string

// stopLimit is how long the process may take to end after its input has.
const stopLimit = 10 * time.Second

// process is the Python process with the Spark session. Calls may overlap.
type process struct {
	cmd    *exec.Cmd
	input  io.WriteCloser
	ended  chan struct{} // closed after the process has ended and all calls have their answer
	exit   error         // valid after ended
	closed bool

	mu    sync.Mutex
	last  int64
	calls map[int64]chan response
}

// request is a line to the driver.
type request struct {
	ID       int64             `json:"id"`
	Session  string            `json:"session,omitempty"`
	Settings map[string]string `json:"settings,omitempty"` // of the session, which its first statement starts
	SQL      string            `json:"sql,omitempty"`
	Limit    int64             `json:"limit,omitempty"`
	Cancel   int64             `json:"cancel,omitempty"`
}

// response is a line of the driver.
type response struct {
	ID      int64       `json:"id"`
	Columns [][2]string `json:"columns"`
	Rows    [][]any     `json:"rows"`
	Error   string      `json:"error"`
}

// settings are the driver's argument.
type settings struct {
	Jars      string `json:"jars"`
	Warehouse string `json:"warehouse"`
	Scratch   string `json:"scratch"`
	Memory    string `json:"memory"`
	Java      string `json:"java"`
	Threads   int    `json:"threads"`
}

// start starts the process and waits until its session is ready.
func start(ctx context.Context, python string, s settings, log io.Writer) (*process, error) {
	argument, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(python, "-c", driver, string(argument)) //nolint:gosec // the interpreter of the installation
	cmd.Stderr = log
	cmd.Dir = s.Scratch
	// Python converts the times of results in its own time zone.
	cmd.Env = append(os.Environ(), "TZ=UTC", "PYSPARK_PYTHON="+python, "SPARK_LOCAL_IP=127.0.0.1")
	input, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ready := make(chan response, 1)
	p := &process{cmd: cmd, input: input, ended: make(chan struct{}), calls: map[int64]chan response{0: ready}}
	go p.receive(output)
	select {
	case <-ready:
		return p, nil
	case <-p.ended:
		return nil, fmt.Errorf("the process ended: %w", p.exit)
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), p.stop())
	}
}

// receive hands the responses to their calls until the process ends.
func (p *process) receive(output io.Reader) {
	decoder := json.NewDecoder(bufio.NewReader(output))
	decoder.UseNumber()
	for {
		var r response
		if err := decoder.Decode(&r); err != nil {
			break
		}
		p.mu.Lock()
		answer := p.calls[r.ID]
		delete(p.calls, r.ID)
		p.mu.Unlock()
		if answer != nil {
			answer <- r
		}
	}
	p.exit = p.cmd.Wait()
	close(p.ended)
}

// run runs a statement. When ctx ends, it interrupts the statement and waits for its end, so that
// nothing is written after it has returned.
func (p *process) run(ctx context.Context, r request) (response, error) {
	answer := make(chan response, 1)
	p.mu.Lock()
	p.last++
	r.ID = p.last
	p.calls[r.ID] = answer
	p.mu.Unlock()
	if err := p.send(r); err != nil {
		return response{}, err
	}
	for done := ctx.Done(); ; {
		select {
		case got := <-answer:
			if ctx.Err() != nil {
				return response{}, ctx.Err()
			}
			return got, nil
		case <-done:
			done = nil
			if err := p.send(request{Cancel: r.ID}); err != nil {
				return response{}, err
			}
		case <-p.ended:
			return response{}, fmt.Errorf("spark ended: %w", p.exit)
		}
	}
}

func (p *process) send(r request) error {
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, err := p.input.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("spark does not read: %w", err)
	}
	return nil
}

// stop ends the process.
func (p *process) stop() error {
	p.mu.Lock()
	again := p.closed
	p.closed = true
	p.mu.Unlock()
	if again {
		return nil
	}
	if err := p.input.Close(); err != nil && !errors.Is(err, os.ErrClosed) { // it has ended by itself
		return err
	}
	select {
	case <-p.ended:
		return nil
	case <-time.After(stopLimit):
		return p.cmd.Process.Kill()
	}
}

// installed returns the Python interpreter and the folder of the jars of an installation.
func installed(home string) (python, jars string, err error) {
	python, jars = filepath.Join(home, "venv", "bin", "python"), filepath.Join(home, "jars")
	for _, part := range []string{python, jars} {
		if _, err := os.Stat(part); err != nil {
			return "", "", fmt.Errorf("%s has no Spark; `scripts/install-spark` installs it and prints its directory: %w", home, err)
		}
	}
	return python, jars, nil
}
