package workflows

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/launch"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows/operators"
	"github.com/pinflow/pinflow/workflows/steps"
)

// openRequest is a request of this run that the Pools workflow has not answered.
type openRequest struct {
	run.OpenRequest
	task *run.Task
	try  *run.Try
}

// workInPool requests the work of a try from the Pools workflow and waits for the answer. If the
// context is cancelled, it withdraws the request and still waits: the work has ended then.
//
// The run sees the work as one activity, which the Pools workflow ends. The message that requests
// the work goes first: it is a local activity, so that a worker that dies in between sends it
// again.
func (r *dagRun) workInPool(ctx workflow.Context, t dag.Task, s *run.Task, try *run.Try, instance operators.TaskInstance, l operators.Limits) (run.WorkDone, error) {
	request, err := r.request(ctx, t, s, instance, l)
	if err != nil {
		return run.WorkDone{}, err
	}
	open := &openRequest{OpenRequest: run.OpenRequest{Request: request}, task: s, try: try}
	r.requests = append(r.requests, open)
	defer func() {
		r.requests = slices.DeleteFunc(r.requests, func(other *openRequest) bool { return other == open })
	}()
	r.wait(ctx, s, "a slot of pool "+t.Pool)
	try.Queued = workflow.Now(ctx)
	delete(r.announced, t.ID)
	background, _ := workflow.NewDisconnectedContext(ctx) // a message that is interrupted can arrive after the withdrawal
	_ = workflow.Await(background, func() bool { return !r.announcing })
	if err := cmp.Or(r.send(background, "request work of pool "+t.Pool, run.PoolsMessage{Request: &request}), ctx.Err()); err != nil {
		open.Withdrawn = true
		r.withdraw(ctx, t.ID) // it may have arrived all the same
		return run.WorkDone{}, err
	}
	options := steps.PoolPolicy
	options.ActivityID = request.ActivityID
	work := workflow.ExecuteActivity(steps.WithPolicy(ctx, options, instance.Summary("%s", operators.Describe(t.Do))), steps.RunInPool, request)
	if workflow.Await(ctx, work.IsReady) != nil {
		open.Withdrawn = true
		r.withdraw(ctx, t.ID)
	}
	done, err := answer(ctx, work)
	try.Granted = done.Started
	return done, err
}

// answer waits for the answer to a request. An error of the work carries what it left.
func answer(ctx workflow.Context, work workflow.Future) (run.WorkDone, error) {
	background, _ := workflow.NewDisconnectedContext(ctx)
	var done run.WorkDone
	err := work.Get(background, &done)
	var failed *temporal.ApplicationError
	if errors.As(err, &failed) {
		if failed.HasDetails() {
			_ = failed.Details(&done) // an error of RunInPool itself has others
		}
		if failed.Type() == operators.SkipType {
			return done, operators.ErrSkip
		}
	}
	return done, err
}

// request returns the request for the work of a try.
func (r *dagRun) request(ctx workflow.Context, t dag.Task, s *run.Task, instance operators.TaskInstance, l operators.Limits) (run.Request, error) {
	slots := r.table.slots(t.Pool)
	if slots == 0 {
		return run.Request{}, fmt.Errorf("no pool %q with slots", t.Pool)
	}
	op, err := r.operators.Encode(t.Do.(operators.Operator))
	if err != nil {
		return run.Request{}, err
	}
	return run.Request{
		Requested: workflow.Now(ctx), WorkflowID: instance.WorkflowID, RunID: instance.RunID, DAG: r.in.DAG, Date: r.in.Date, Task: t.ID, Try: s.Tries,
		ActivityID: fmt.Sprintf("%s-try-%d", t.ID, s.Tries), Pool: t.Pool, Slots: slots, Priority: r.priority(),
		Operator: op, Params: r.in.Params, Prepared: instance.Prepared, Timeout: l.Timeout, Worked: l.Worked, Counts: l.Counts,
		Together: r.together(t, instance), Bytes: r.landedBytes(),
	}, nil
}

// together returns how many dates may go together with this one for a task. After a failure of a
// group, half of it goes together.
func (r *dagRun) together(t dag.Task, try operators.TaskInstance) int {
	op, ok := t.Do.(operators.Grouper)
	if !ok || !t.Do.Effects().Together || !op.GoesTogether(try) {
		return 0
	}
	if half, failed := r.halves[t.ID]; failed {
		return half
	}
	return r.in.Together
}

// landedBytes returns the size of what the run has landed.
func (r *dagRun) landedBytes() (sum int64) {
	for _, s := range r.tasks {
		sum += s.Bytes
	}
	return sum
}

func (r *dagRun) priority() int { return launch.Priority(r.in.Trigger).PriorityKey }

// announce announces the requests of all tasks when the run starts. Otherwise a backfill could take
// each pool shortly before the run needs it, and the run would wait at every task, because a
// notebook that writes tables is never interrupted.
//
// Backfills announce nothing: no run has a lower priority. Neither does a run that depends on the
// past: it may wait for the run of the date before, which may be a backfill's and would not get the
// slots.
func (r *dagRun) announce(ctx workflow.Context) {
	if r.priority() >= launch.Priority(run.Backfill).PriorityKey || r.dag.DependsOnPast() && !r.in.IgnorePast {
		return
	}
	r.announced = map[string]string{}
	for i, t := range r.dag {
		if t.Pool != "" && r.tasks[i].State == run.None {
			r.announced[t.ID] = t.Pool
		}
	}
	if len(r.announced) == 0 {
		return
	}
	id := r.info.WorkflowExecution
	pools := maps.Clone(r.announced) //workflowcheck:ignore // the order of copying does not matter
	message := run.PoolsMessage{Announce: &run.Announcement{WorkflowID: id.ID, RunID: id.RunID, DAG: r.in.DAG, Date: r.in.Date, Priority: r.priority(), Pools: pools}}
	r.announcing = true // no request comes before it: the slot of a task would be kept after its work
	workflow.Go(ctx, func(ctx workflow.Context) {
		defer func() { r.announcing = false }()
		if err := r.send(ctx, "announce the requests of the run", message); err != nil {
			workflow.GetLogger(ctx).Warn("Requests were not announced; the run may wait for backfills", "error", err)
		}
	})
}

// withdrawAnnounced withdraws what was announced and never requested.
func (r *dagRun) withdrawAnnounced(ctx workflow.Context) {
	if len(r.announced) > 0 {
		r.withdraw(ctx, "")
	}
}

// withdraw withdraws the request of a task, or everything that the run has requested and announced
// if the task is empty, also in a cancelled run. If that fails, the Pools workflow finds out that
// the run has closed.
func (r *dagRun) withdraw(ctx workflow.Context, task string) {
	ctx, done := workflow.NewDisconnectedContext(ctx)
	defer done()
	id := r.info.WorkflowExecution
	what := "withdraw the requests of the run"
	if task != "" {
		what = "withdraw the request of " + task
	}
	if err := r.send(ctx, what, run.PoolsMessage{Withdraw: &run.Withdrawal{WorkflowID: id.ID, RunID: id.RunID, Task: task}}); err != nil {
		workflow.GetLogger(ctx).Warn("A request was not withdrawn", "task", task, "error", err)
	}
}

func (r *dagRun) send(ctx workflow.Context, summary string, message run.PoolsMessage) error {
	return steps.ExecuteQuick(ctx, steps.PoolsPolicy, summary, steps.SendToPools, message, nil)
}

// openRequests returns the answer to run.RequestsQuery.
func (r *dagRun) openRequests() []run.OpenRequest {
	all := make([]run.OpenRequest, len(r.requests))
	for i, open := range r.requests {
		all[i] = open.OpenRequest
	}
	return all
}

// receiveStarted shows the tasks as running whose work has started, for all reports that have come.
// A report to this run before it was reset names another run id: Temporal delivers it again,
// although that work has been cancelled.
func (r *dagRun) receiveStarted(ctx workflow.Context, reports workflow.ReceiveChannel) {
	var started run.WorkStarted
	for ; reports.ReceiveAsync(&started); started = (run.WorkStarted{}) {
		for _, open := range r.requests {
			if open.RunID != started.RunID || open.Task != started.Task || open.Try != started.Try {
				continue
			}
			if started.Obstacle != "" {
				r.wait(ctx, open.task, "a worker that can do it: "+started.Obstacle)
				continue
			}
			open.Started, open.JobRunID, open.try.Granted = true, started.JobRunID, started.Started
			open.task.Link, open.task.JobRunID, open.task.Together = started.Link, started.JobRunID, started.Together
			r.set(ctx, open.task, run.Running, "")
		}
	}
}
