package main

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/joho/godotenv"
	"golang.org/x/sync/errgroup"

	"github.com/pinflow/pinflow/internal/config"
)

// startStack starts the embedded stack and takes its settings, above those of the environment: the demo is about this stack.
func (d *demo) startStack(ctx context.Context) error {
	file := filepath.Join(d.data, "stack.env")
	before := modified(file) // of one that a killed stack has left
	if _, err := d.processes.start("local", nil, "stack", "--data", d.data, "--port-offset", strconv.Itoa(d.portOffset)); err != nil {
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
	if d.settings, err = config.Load(); err != nil {
		return &usageError{err}
	}
	return nil
}

// modified is when a file was written; the zero time if it is not there.
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
		if _, err := d.processes.start(program, nil); err != nil {
			return err
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return d.setup(ctx, d.printStep) })
	for _, address := range []string{d.settings.GatewayURL, "http://" + d.settings.WorkerAddress} {
		group.Go(func() error { return d.until(ctx, func() bool { return d.healthy(ctx, address+"/healthz") }) })
	}
	return group.Wait()
}

// pollInterval is the time between two looks at something that has no event to wait for.
const pollInterval = 20 * time.Millisecond

// until waits until something holds.
func (d *demo) until(ctx context.Context, holds func() bool) error {
	for !holds() {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-d.after(pollInterval):
		}
	}
	return nil
}

func (d *demo) healthy(ctx context.Context, url string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	response, err := d.connect.http.Do(request)
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}
