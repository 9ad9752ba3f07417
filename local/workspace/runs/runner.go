package runs

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// Why a run's context ends. Each cause is another outcome.
var (
	errCanceled = errors.New("the run was canceled")
	errTimedOut = errors.New("the run's timeout passed")
	errStopped  = errors.New("the workspace was stopped while the run was in progress")
)

// runner executes runs: each in goroutines of its own, at most cap(slots) tasks at once over all
// runs. A task without a slot stays PENDING.
type runner struct {
	store     *store
	notebooks Notebooks
	engine    Engine
	slots     chan struct{}
	now       func() time.Time
	log       *slog.Logger

	mu     sync.Mutex
	active map[int64]*execution // by run id, and by the run id of each task
	work   sync.WaitGroup
	base   context.Context
	stop   context.CancelCauseFunc
}

func newRunner(store *store, o Options) *runner {
	base, stop := context.WithCancelCause(context.Background())
	return &runner{
		store: store, notebooks: o.Notebooks, engine: o.Engine, slots: make(chan struct{}, o.Slots), now: o.Now, log: o.Logger,
		active: map[int64]*execution{}, base: base, stop: stop,
	}
}

// start executes a stored run in the background. The runner owns r from here on.
func (n *runner) start(r *Run) {
	x := &execution{runner: n, run: r, tasks: map[int64]*execTask{}}
	ctx, cancel := context.WithCancelCause(n.base)
	x.cancel = cancel
	for _, t := range r.Tasks {
		taskCtx, cancelTask := context.WithCancelCause(ctx)
		x.tasks[t.ID] = &execTask{ctx: taskCtx, cancel: cancelTask, done: make(chan struct{})}
	}
	n.mu.Lock()
	n.active[r.ID] = x
	for _, t := range r.Tasks {
		n.active[t.ID] = x
	}
	n.mu.Unlock()
	n.work.Go(func() { x.perform(ctx) })
}

// cancel asks a run, or the run of one task, to stop, and returns at once. A run that has ended
// keeps its outcome.
func (n *runner) cancel(runID int64) {
	n.mu.Lock()
	x := n.active[runID]
	n.mu.Unlock()
	if x != nil {
		x.requestCancel(runID)
	}
}

func (n *runner) forget(r *Run) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.active, r.ID)
	for _, t := range r.Tasks {
		delete(n.active, t.ID)
	}
}

// drain waits until all runs have ended or ctx is done, then interrupts what is left and waits for
// that.
func (n *runner) drain(ctx context.Context) {
	ended := make(chan struct{})
	go func() {
		n.work.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
		n.stop(errStopped)
		<-ended
	}
	n.stop(errStopped)
}
