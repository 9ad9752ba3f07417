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
	"github.com/pinflow/pinflow/internal/bucket"
	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows"
	"github.com/pinflow/pinflow/workflows/operators"
)

// The DAGs of the benchmarks: one task, three in parallel, one.
const (
	noopDAG   = "noop"   // each task is one activity that does nothing
	pooledDAG = "pooled" // as noop, each task in a pool of its own,
	parkedDAG = "parked" // as noop, but the first task waits for a signal
)

const (
	handWritten = "HandWritten"
	noopName    = "Noop"
	goOn        = "go-on"
)

// noop is an operator of one activity that does nothing.
type noop struct{}

var noopOptions = workflow.ActivityOptions{StartToCloseTimeout: time.Minute}

func (noop) Effects() dag.Effects { return dag.Effects{} }

func (noop) Run(ctx workflow.Context, try operators.TaskInstance) (run.Outcome, error) {
	options := noopOptions
	options.Summary = try.Task
	return run.Outcome{}, workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, options), noopName).Get(ctx, nil)
}

// parked is an operator that waits for a signal.
type parked struct{}

func (parked) Effects() dag.Effects { return dag.Effects{} }

func (parked) Run(ctx workflow.Context, _ operators.TaskInstance) (run.Outcome, error) {
	workflow.GetSignalChannel(ctx, goOn).Receive(ctx, nil)
	return run.Outcome{}, nil
}

// shape is the shape of the benchmarks' DAGs: that of a daily DAG, each task with a pool of its
// own.
var shape = dag.DAG{
	{ID: "load", Pool: "load"},
	{ID: "clean_pin", After: dag.Tasks{"load"}, Pool: "clean_pin"},
	{ID: "clean_geo", After: dag.Tasks{"load"}, Pool: "clean_geo"},
	{ID: "clean_user", After: dag.Tasks{"load"}, Pool: "clean_user"},
	{ID: "query", After: dag.Tasks{"clean_pin", "clean_geo", "clean_user"}, Pool: "query"},
}

// benchDAG returns a DAG of the shape, with or without its pools.
func benchDAG(first, others operators.Operator, pools bool) dag.DAG {
	var d dag.DAG
	for i, t := range shape {
		task := dag.Task{ID: t.ID, After: t.After, Do: others}
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

// benchPools returns a pool of one slot for each task.
func benchPools() []dag.Pool {
	var pools []dag.Pool
	for _, t := range shape {
		pools = append(pools, dag.Pool{Name: t.Pool, Slots: 1})
	}
	return pools
}

var catalog = dag.NewCatalog(
	dag.Definition{Name: noopDAG, DAG: benchDAG(noop{}, noop{}, false)},
	dag.Definition{Name: pooledDAG, DAG: benchDAG(noop{}, noop{}, true), Pools: benchPools()},
	dag.Definition{Name: parkedDAG, DAG: benchDAG(parked{}, noop{}, false)},
	dag.Definition{Name: elsewhereDAG, DAG: benchDAG(elsewhere{}, elsewhere{}, true)},
)

// byHand is the same work without a DAG: the same five activities in the same order, three of them
// in parallel.
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

// work is the worker of a benchmark: the production workflows with the catalog above. It runs until
// its parent ends its input.
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
	entries, err := os.MkdirTemp("", "pinflow-bench-ledger-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(entries) }() // a directory for temporary files
	w := worker.New(c, run.DefaultDeployment.TaskQueue(), worker.Options{})
	workflows.Register(w, catalog, operators.ByName{"noop": noop{}, "parked": parked{}, "elsewhere": elsewhere{}})
	w.RegisterWorkflowWithOptions(byHand, workflow.RegisterOptions{Name: handWritten})
	w.RegisterActivityWithOptions(func(context.Context) error { return nil }, activity.RegisterOptions{Name: noopName})
	w.RegisterActivityWithOptions(workElsewhere, activity.RegisterOptions{Name: elsewhereName})
	w.RegisterActivity(&activities.Ledger{Ledger: &ledger.Ledger{Objects: files{entries}}})
	w.RegisterActivity(&activities.Pools{Client: c, Deployment: run.DefaultDeployment})
	w.RegisterActivity(&activities.Runs{Client: c})
	if err := w.Start(); err != nil {
		return err
	}
	defer w.Stop()
	<-ctx.Done()
	return nil
}

// files is the ledger's bucket as a directory: on disk, so that entries do not count as the
// worker's memory, and without S3's latency.
type files struct{ dir string }

var errNotNeeded = errors.New("the ledger does not use this")

func (f files) URI(key string) string { return filepath.Join(f.dir, filepath.FromSlash(key)) }

func (f files) Get(_ context.Context, key string) ([]byte, error) {
	body, err := os.ReadFile(f.URI(key))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, bucket.ErrNotFound
	}
	return body, err
}

func (f files) Head(context.Context, string) (bucket.Object, error) {
	return bucket.Object{}, errNotNeeded
}

func (f files) Put(_ context.Context, object bucket.PutInput) error {
	file := f.URI(object.Key)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, object.Body, 0o644)
}

// List lists one directory: the ledger's prefixes end with a slash.
func (f files) List(_ context.Context, list bucket.ListInput) ([]bucket.Object, error) {
	entries, err := os.ReadDir(f.URI(list.Prefix))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var found []bucket.Object
	for _, entry := range entries {
		if key := strings.TrimSuffix(list.Prefix, "/") + "/" + entry.Name(); key > list.After && (list.Before == "" || key < list.Before) {
			found = append(found, bucket.Object{Key: key})
		}
	}
	return found, err
}
