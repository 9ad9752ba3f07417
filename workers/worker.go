package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/caarlos0/env/v11"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/config"
	"github.com/pinflow/pinflow/internal/observe"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows"
)

// heartbeatInterval is the longest time between two heartbeats that reach Temporal.
const heartbeatInterval = 5 * time.Second

// options are the settings that the worker alone has.
type options struct {
	// StopTimeout is how long running activities may take to end when the worker is stopped. The SDK's default is none at all: each deploy
	// would cut off what is on its way. Fargate gives a container 120 s at most.
	StopTimeout time.Duration `env:"PINFLOW_WORKER_STOP_TIMEOUT" envDefault:"100s"`
}

// load reads and checks all settings, and the DAGs that the worker is to run.
func load(args []string) (config.Config, options, error) {
	if len(args) > 0 {
		return config.Config{}, options{}, &settingsError{fmt.Errorf("it takes no arguments, not %q: its settings are in the environment (see .env.example)", args)}
	}
	settings, err := config.Load()
	if err != nil {
		return config.Config{}, options{}, &settingsError{err}
	}
	own, err := env.ParseAs[options]()
	if err == nil && own.StopTimeout < 0 {
		err = fmt.Errorf("PINFLOW_WORKER_STOP_TIMEOUT=%s: want a length of time, as in 100s", own.StopTimeout)
	}
	if err := errors.Join(err, workflows.DefaultCatalog.Validate()); err != nil {
		return config.Config{}, options{}, &settingsError{err}
	}
	return settings, own, nil
}

// run works until the context ends, and then drains.
func work(ctx context.Context, args []string, stderr io.Writer) error {
	settings, own, err := load(args)
	if err != nil {
		return err
	}
	log, err := observe.NewLogger(stderr, settings.LogLevel)
	if err != nil {
		return &settingsError{err}
	}
	metrics, err := observe.NewMetrics()
	if err != nil {
		return err
	}
	defer func() { _ = metrics.Close(context.WithoutCancel(ctx)) }() // nothing is left to be exported
	alive := &health{now: time.Now}
	pages, err := listen(settings.WorkerAddress, alive, metrics.Handler(), log)
	if err != nil {
		return err
	}
	defer pages.close(context.WithoutCancel(ctx))
	conn, err := temporal.Dial(ctx, temporal.Options{
		Logger: log, Metrics: metrics.Temporal(log), Calls: alive.intercept,
		Propagators: []workflow.ContextPropagator{workflows.TaskRefPropagator{}},
	})
	if err != nil {
		return err
	}
	defer conn.Close()
	logs, err := newShipping(ctx, settings, log)
	if err != nil {
		return err
	}
	fatal := make(chan error, 1)
	w := worker.New(conn.Client, run.TaskQueue, worker.Options{
		WorkerStopTimeout: own.StopTimeout,
		// An activity hears of a cancellation in the answer to a heartbeat. The SDK's default of up to 60 s between two would let a
		// cancelled landing go on for as long.
		MaxHeartbeatThrottleInterval: heartbeatInterval,
		Interceptors:                 []interceptor.WorkerInterceptor{&taskLogs{shipping: logs}},
		OnFatalError:                 func(err error) { fatal <- err },
	})
	closeClients, err := register(ctx, w, conn.Client, settings)
	if err != nil {
		return err
	}
	defer closeClients()
	overdue, err := newDeadman(ctx, conn, settings, metrics, log)
	if err != nil {
		return err
	}
	if err := w.Start(); err != nil {
		return conn.Classify(err)
	}
	alive.start()
	looking, stopLooking := context.WithCancel(ctx)
	waitForLook := overdue.start(looking)
	log.Info("working", "task_queue", run.TaskQueue, "temporal", conn.Address, "namespace", conn.Namespace,
		"pages", settings.WorkerAddress, "version", config.Version)
	err = wait(ctx, log, own, fatal, pages.ended)
	alive.drain()
	w.Stop()
	logs.drain()
	stopLooking()
	waitForLook()
	log.Info("drained")
	return conn.Classify(err)
}

// wait returns when the worker is to end: nil if it was told to.
func wait(ctx context.Context, log *slog.Logger, own options, fatal, pages <-chan error) error {
	select {
	case <-ctx.Done():
		log.Info("draining", "reason", context.Cause(ctx).Error(), "at_most", own.StopTimeout.String())
		return nil
	case err := <-fatal:
		return fmt.Errorf("the worker cannot go on: %w", err)
	case err := <-pages:
		return err
	}
}
