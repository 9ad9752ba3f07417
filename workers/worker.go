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
	"github.com/pinflow/pinflow/workflows"
	"github.com/pinflow/pinflow/workflows/operators"
	"github.com/pinflow/pinflow/workflows/steps"
)

// heartbeatInterval is the longest time between two heartbeats that the SDK sends.
const heartbeatInterval = 5 * time.Second

// options are the settings that the worker alone has.
type options struct {
	// StopTimeout is how long the worker waits for running activities when it is stopped. The SDK's
	// default is 0, which would interrupt all of them at each deployment. Fargate stops a container
	// after 120 s at most.
	StopTimeout time.Duration `env:"PINFLOW_WORKER_STOP_TIMEOUT" envDefault:"100s"`
}

// load reads and validates all settings, and the DAGs.
func load(args []string) (config.Config, options, error) {
	if len(args) > 0 {
		return config.Config{}, options{}, &settingsError{fmt.Errorf("unexpected arguments %q: the worker takes its settings from the environment (see .env.example)", args)}
	}
	settings, err := config.Load()
	if err != nil {
		return config.Config{}, options{}, &settingsError{err}
	}
	own, err := env.ParseAs[options]()
	if err == nil && own.StopTimeout < 0 {
		err = fmt.Errorf("PINFLOW_WORKER_STOP_TIMEOUT=%s: want a duration, for example 100s", own.StopTimeout)
	}
	if err := errors.Join(err, workflows.DefaultCatalog.Validate(), operators.Check(workflows.DefaultCatalog, operators.Default)); err != nil {
		return config.Config{}, options{}, &settingsError{err}
	}
	return settings, own, nil
}

// work runs the worker until the context ends, and then shuts it down.
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
	defer func() { _ = metrics.Close(context.WithoutCancel(ctx)) }() // nothing is left to export
	alive := &health{now: time.Now}
	pages, err := listen(settings.WorkerAddress, alive, metrics.Handler(), log)
	if err != nil {
		return err
	}
	defer pages.close(context.WithoutCancel(ctx))
	conn, err := temporal.Dial(ctx, temporal.Options{
		Logger: log, Metrics: metrics.Temporal(log), Calls: alive.intercept,
		Propagators: []workflow.ContextPropagator{steps.TaskRefPropagator{}},
	})
	if err != nil {
		return err
	}
	defer conn.Close()
	logs, err := newShipping(ctx, settings, log)
	if err != nil {
		return err
	}
	runs, err := metrics.Runs()
	if err != nil {
		return err
	}
	version, err := deploymentOptions(settings, config.BuildID())
	if err != nil {
		return err
	}
	fatal := make(chan error, 1)
	w := worker.New(conn.Client, settings.Deployment.TaskQueue(), worker.Options{
		Identity:          identity(config.BuildID()),
		DeploymentOptions: version,
		WorkerStopTimeout: own.StopTimeout,
		// An activity learns of its cancellation from the response to a heartbeat. With the SDK's
		// default of up to 60 s between two, a cancelled landing would continue for as long.
		MaxHeartbeatThrottleInterval: heartbeatInterval,
		Interceptors:                 []interceptor.WorkerInterceptor{&taskLogs{shipping: logs}},
		OnFatalError:                 func(err error) { fatal <- err },
	})
	closeClients, err := register(ctx, w, conn.Client, settings, runs)
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
	checking, stopChecking := context.WithCancel(ctx)
	awaitCheck := overdue.start(checking)
	keeper := &poolsKeeper{temporal: conn.Client, deployment: settings.Deployment, log: log}
	awaitKeeper := keeper.start(checking)
	log.Info("working", "task_queue", settings.Deployment.TaskQueue(), "temporal", conn.Address, "namespace", conn.Namespace,
		"pages", settings.WorkerAddress, "build", config.BuildID(), "versioning", version.UseVersioning)
	err = wait(ctx, log, own, fatal, pages.ended)
	alive.drain()
	w.Stop()
	logs.drain()
	stopChecking()
	awaitCheck()
	awaitKeeper()
	log.Info("drained")
	return conn.Classify(err)
}

// wait returns when the context ends, or with the error that ends the worker.
func wait(ctx context.Context, log *slog.Logger, own options, fatal, pages <-chan error) error {
	select {
	case <-ctx.Done():
		log.Info("draining", "reason", context.Cause(ctx).Error(), "at_most", own.StopTimeout.String())
		return nil
	case err := <-fatal:
		return fmt.Errorf("the worker cannot continue: %w", err)
	case err := <-pages:
		return err
	}
}
