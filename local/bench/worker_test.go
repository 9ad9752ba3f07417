package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/workflows"
)

// The DAGs of the benchmarks have the daily DAG's shape: one task, three side by side, one.
const (
	noopDAG   = "noop"   // each task is one activity that does nothing
	pooledDAG = "pooled" // as noop, each task in a pool of its own, as in the daily DAG
	parkedDAG = "parked" // as noop, but the first task waits until it is told to go on
)

const (
	handWritten = "HandWritten"
	noopName    = "Noop"
	goOn        = "go-on"
)

// noop is an operator of one activity that does nothing.
type noop struct{}

var noopOptions = workflow.ActivityOptions{StartToCloseTimeout: time.Minute}

func (noop) Effects() workflows.Effects { return workflows.Effects{} }

func (noop) Run(ctx workflow.Context, try workflows.Try) (workflows.Outcome, error) {
	options := noopOptions
	options.Summary = try.Task
	return workflows.Outcome{}, workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, options), noopName).Get(ctx, nil)
}

// parked is an operator that waits for a signal.
type parked struct{}

func (parked) Effects() workflows.Effects { return workflows.Effects{} }

func (parked) Run(ctx workflow.Context, _ workflows.Try) (workflows.Outcome, error) {
	workflow.GetSignalChannel(ctx, goOn).Receive(ctx, nil)
	return workflows.Outcome{}, nil
}

// dag is the daily DAG's shape with other operators, with or without its pools.
func dag(first, others workflows.Operator, pools bool) workflows.DAG {
	var d workflows.DAG
	for i, t := range workflows.Daily {
		task := workflows.Task{ID: t.ID, After: t.After, Do: others}
		if i == 0 {
			task.Do = first
		}
		if pools {
			task.Pool = t.Pool
		}
		d = append(d, task)
	}
	return d
}

var catalog = workflows.Catalog{
	DAGs: []workflows.Named{
		{Name: noopDAG, DAG: dag(noop{}, noop{}, false)},
		{Name: pooledDAG, DAG: dag(noop{}, noop{}, true)},
		{Name: parkedDAG, DAG: dag(parked{}, noop{}, false)},
	},
	Pools: workflows.Pools,
}

// byHand is what somebody would write without a DAG: the same five activities in the same order, three of them side by side.
func byHand(ctx workflow.Context) error {
	ctx = workflow.WithActivityOptions(ctx, noopOptions)
	if err := workflow.ExecuteActivity(ctx, noopName).Get(ctx, nil); err != nil {
		return err
	}
	var cleaning []workflow.Future
	for range 3 {
		cleaning = append(cleaning, workflow.ExecuteActivity(ctx, noopName))
	}
	for _, cleaned := range cleaning {
		if err := cleaned.Get(ctx, nil); err != nil {
			return err
		}
	}
	return workflow.ExecuteActivity(ctx, noopName).Get(ctx, nil)
}

// work is the worker of a benchmark: the production workflows with the catalog above. It runs until its parent ends its input.
func work(address string) int {
	ctx, release := untilParentEnds()
	defer release()
	if err := workUntil(ctx, address); err != nil {
		fmt.Fprintln(os.Stderr, "worker:", err)
		return 1
	}
	return 0
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

func workUntil(ctx context.Context, address string) error {
	c, err := client.DialContext(ctx, client.Options{HostPort: address, Logger: quiet})
	if err != nil {
		return err
	}
	defer c.Close()
	if err := catalog.Validate(); err != nil {
		return err
	}
	ledger, err := os.MkdirTemp("", "pinflow-bench-ledger-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(ledger) }() // a directory for temporary files
	w := worker.New(c, workflows.TaskQueue, worker.Options{})
	workflows.Register(w, catalog)
	w.RegisterWorkflowWithOptions(byHand, workflow.RegisterOptions{Name: handWritten})
	w.RegisterActivityWithOptions(func(context.Context) error { return nil }, activity.RegisterOptions{Name: noopName})
	w.RegisterActivity(&activities.Ledger{Objects: files{ledger}})
	w.RegisterActivity(&activities.Pools{Client: c})
	w.RegisterActivity(&activities.Runs{Client: c})
	if err := w.Start(); err != nil {
		return err
	}
	defer w.Stop()
	<-ctx.Done()
	return nil
}

// files is the ledger's bucket as a directory: on disk, so that entries do not count as the worker's memory, and without S3's latency.
type files struct{ dir string }

var errNotNeeded = errors.New("the ledger does not ask for this")

func (f files) URI(key string) string { return filepath.Join(f.dir, filepath.FromSlash(key)) }

func (f files) Get(_ context.Context, key string) ([]byte, error) {
	body, err := os.ReadFile(f.URI(key))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, activities.ErrNoObject
	}
	return body, err
}

func (f files) Head(context.Context, string) (activities.ObjectInfo, error) {
	return activities.ObjectInfo{}, errNotNeeded
}

func (f files) Put(_ context.Context, object activities.PutObject) error {
	file := f.URI(object.Key)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, object.Body, 0o644)
}

// List lists one directory: the ledger's prefixes end with a slash.
func (f files) List(_ context.Context, list activities.ListObjects) ([]activities.ObjectInfo, error) {
	entries, err := os.ReadDir(f.URI(list.Prefix))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var found []activities.ObjectInfo
	for _, entry := range entries {
		if key := strings.TrimSuffix(list.Prefix, "/") + "/" + entry.Name(); key > list.After && (list.Before == "" || key < list.Before) {
			found = append(found, activities.ObjectInfo{Key: key})
		}
	}
	return found, err
}
