// Command workers is Pinflow's worker: the one process that runs its workflows and activities.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/caarlos0/env/v11"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/config"
	"github.com/pinflow/pinflow/internal/observe"
	"github.com/pinflow/pinflow/workflows"
)

const (
	exitFailed      = 1
	exitUsage       = 2
	exitUnreachable = 3
)

// options are the settings that the worker alone has.
type options struct {
	// StopTimeout is how long running activities may take to end when the worker is stopped. The SDK's default is none at all: each deploy
	// would cut off what is on its way. Fargate gives a container 120 s at most.
	StopTimeout time.Duration `env:"PINFLOW_WORKER_STOP_TIMEOUT" envDefault:"100s"`
}

func main() {
	ctx, stop := observe.ExitWithParent(context.Background())
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "workers:", err)
		os.Exit(exitCode(err))
	}
}

// exitCode is what a script can tell the error by.
func exitCode(err error) int {
	switch {
	case errors.As(err, new(*settingsError)):
		return exitUsage
	case errors.As(err, new(*temporal.UnreachableError)):
		return exitUnreachable
	}
	return exitFailed
}

// settingsError is one that the operator mends in the settings, not in the systems.
type settingsError struct{ error }

func (e *settingsError) Unwrap() error { return e.error }

// run works until ctx ends, and then drains: it takes no more work, and lets what it has end.
func run(ctx context.Context) error {
	settings, err := config.Load()
	if err != nil {
		return &settingsError{err}
	}
	own, err := env.ParseAs[options]()
	if err != nil {
		return &settingsError{err}
	}
	if err := workflows.Standard.Validate(); err != nil {
		return &settingsError{err}
	}
	log, err := observe.NewLogger(os.Stderr, settings.LogLevel)
	if err != nil {
		return &settingsError{err}
	}
	metrics, err := observe.NewMetrics()
	if err != nil {
		return err
	}
	defer metrics.Close(context.WithoutCancel(ctx)) //nolint:errcheck // the process ends

	polls := &polls{now: time.Now}
	conn, err := temporal.Dial(ctx, temporal.Options{
		Logger: log, Metrics: metrics.Temporal(log), Calls: polls.intercept,
		Propagators: []workflow.ContextPropagator{workflows.TaskRefPropagator{}},
	})
	if err != nil {
		return err
	}
	defer conn.Close()
	w := worker.New(conn.Client, workflows.TaskQueue, worker.Options{
		WorkerStopTimeout: own.StopTimeout,
		Interceptors:      []interceptor.WorkerInterceptor{&taskLogs{}},
	})
	closeClients, err := register(ctx, w, conn.Client, settings)
	if err != nil {
		return err
	}
	defer closeClients()

	served, err := serve(ctx, settings.WorkerAddress, polls, metrics.Handler())
	if err != nil {
		return err
	}
	if err := w.Start(); err != nil {
		return conn.Classify(err)
	}
	log.Info("working", "task_queue", workflows.TaskQueue, "temporal", conn.Address, "namespace", conn.Namespace, "version", config.Version)
	select {
	case <-ctx.Done():
	case err := <-served:
		w.Stop()
		return err
	}
	log.Info("draining", "reason", context.Cause(ctx).Error(), "limit", own.StopTimeout.String())
	w.Stop()
	log.Info("drained")
	return nil
}

// serve answers /healthz and /metrics until ctx ends. The channel gets the error of a server that ended before.
func serve(ctx context.Context, address string, polls *polls, metrics http.Handler) (<-chan error, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, &settingsError{fmt.Errorf("cannot listen on %s for /healthz and /metrics: end what does, or set PINFLOW_WORKER_ADDRESS: %w", address, err)}
	}
	mux := http.NewServeMux()
	mux.Handle("GET /healthz", polls)
	mux.Handle("GET /metrics", metrics)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, ErrorLog: slog.NewLogLogger(slog.Default().Handler(), slog.LevelWarn)}
	ended := make(chan error, 1)
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			ended <- err
		}
	}()
	context.AfterFunc(ctx, func() { _ = server.Close() }) // a worker that drains is not healthy: it takes no work
	return ended, nil
}
