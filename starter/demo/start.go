package demo

import (
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/joho/godotenv"
	"golang.org/x/sync/errgroup"

	"github.com/pinflow/pinflow/internal/config"
	"github.com/pinflow/pinflow/notebooks"
	"github.com/pinflow/pinflow/starter/exit"
	"github.com/pinflow/pinflow/starter/setup"
	"github.com/pinflow/pinflow/starter/view"
)

// makeOut creates the directory of answers.json.
func (d *demo) makeOut() error {
	if d.Options.Out == "" {
		return nil
	}
	if err := os.MkdirAll(d.Options.Out, 0o755); err != nil {
		return &exit.UsageError{Err: err}
	}
	return nil
}

// freePort returns a clear error if the port of a program is in use.
func (d *demo) freePort(program string, port int) error {
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port+d.PortOffset))
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return exit.Usagef("%s: %s is in use by another program; end that, or choose other ports with --port-offset (PORT_OFFSET=n of make)", program, address)
	}
	return listener.Close()
}

// startStack starts the embedded stack and puts its settings before those of the environment: the
// demo is about this stack.
func (d *demo) startStack(ctx context.Context) error {
	file := filepath.Join(d.Data, config.StackFile)
	before := modified(file) // a stack that was killed left its file
	if err := d.processes.start("local", "stack", "--data", d.Data, "--port-offset", strconv.Itoa(d.PortOffset)); err != nil {
		return err
	}
	if err := d.until(ctx, func() bool { return modified(file) != before }); err != nil {
		return err
	}
	settings, err := godotenv.Read(file)
	if err != nil {
		return err
	}
	for name, value := range settings {
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	if err := config.UseCredentials(d.Data); err != nil {
		return err
	}
	if d.settings, err = config.Load(); err != nil {
		return &exit.UsageError{Err: err}
	}
	d.control = d.controller(d.DAG)
	d.view = &view.View{Term: d.Term, DAG: d.DAG, Command: d.control.Command}
	return nil
}

// modified returns when a file was written; the zero time if it does not exist.
func modified(file string) time.Time {
	info, err := os.Stat(file)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// startPrograms sets everything up while worker and gateway start.
func (d *demo) startPrograms(ctx context.Context) error {
	for _, program := range []string{"workers", "gateway"} {
		if err := d.processes.serve(program); err != nil {
			return err
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return d.setup().Run(ctx, d.view.PrintStep) })
	for _, address := range []string{d.settings.GatewayURL, "http://" + d.settings.WorkerAddress} {
		group.Go(func() error { return d.until(ctx, func() bool { return d.healthy(ctx, address+"/healthz") }) })
	}
	return group.Wait()
}

// setup sets the stack up for all DAGs of the catalog.
func (d *demo) setup() *setup.Setup {
	s := &setup.Setup{
		Systems: d.systems, Settings: d.settings, Kinds: d.Catalog.Kinds(), Notebooks: notebooks.All(), Now: d.Now, After: d.After,
	}
	for _, definition := range d.Catalog.DAGs {
		if each := d.controller(definition); each.ScheduleSpec().Cron != "" {
			s.DAGs = append(s.DAGs, each)
		}
	}
	return s
}

// pollInterval is the time between two looks at something without an event to wait for.
const pollInterval = 20 * time.Millisecond

// until waits until a condition holds.
func (d *demo) until(ctx context.Context, holds func() bool) error {
	for !holds() {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-d.After(pollInterval):
		}
	}
	return nil
}

// healthy reports whether a health check succeeds.
func (d *demo) healthy(ctx context.Context, url string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	response, err := d.systems.HTTP.Do(request)
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}
