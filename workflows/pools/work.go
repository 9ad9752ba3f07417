package pools

import (
	"errors"
	"fmt"
	"runtime/debug"
	"slices"

	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows/operators"
	"github.com/pinflow/pinflow/workflows/steps"
)

// poolWork is a request at work.
type poolWork struct {
	run.Work
	cancel workflow.CancelFunc
}

// withdraw cancels the work. The request is answered when it has ended.
func (w *poolWork) withdraw() {
	w.Withdrawn = true
	if w.cancel != nil {
		w.cancel()
	}
}

// start does the work of a request in a coroutine, and then answers it. The run of a request that
// is not fresh may have been terminated while it waited; its work does not start.
//
// Work that was in progress when the workflow continued as new is done again, too: its operator
// rejoins the job that it has started.
func (p *poolsRun) start(ctx workflow.Context, w *poolWork, fresh bool) {
	workflow.Go(ctx, func(ctx workflow.Context) { p.finish(ctx, w, fresh) })
}

// finish does the work and answers the request.
func (p *poolsRun) finish(ctx workflow.Context, w *poolWork, fresh bool) {
	defer p.remove(w)
	if !fresh && p.isClosed(ctx, w) {
		return
	}
	var working workflow.Context
	working, w.cancel = workflow.WithCancel(ctx)
	if w.Withdrawn {
		w.cancel()
	}
	p.do(ctx, working, w)
}

func (p *poolsRun) remove(w *poolWork) {
	p.work = slices.DeleteFunc(p.work, func(other *poolWork) bool { return other == w })
	p.forget(w.Request)
	p.changed = true
}

func (p *poolsRun) isClosed(ctx workflow.Context, w *poolWork) bool {
	var closed activities.ClosedRequesters
	in := activities.FindClosedInput{Requesters: []activities.Requester{{WorkflowID: w.WorkflowID, RunID: w.RunID}}}
	if err := steps.ExecuteQuick(ctx, steps.PoolsPolicy, "look whether the run is open", steps.FindClosed, in, &closed); err != nil {
		workflow.GetLogger(ctx).Warn("It is unknown whether the run is open; its work starts", "run", w.WorkflowID, "error", err)
	}
	return len(closed.Requesters) > 0
}

// do performs the operator and answers the request.
func (p *poolsRun) do(ctx, working workflow.Context, w *poolWork) {
	op, err := p.operators.Decode(w.Operator)
	if err != nil {
		panic(err) // replayed on a build that lacks the operator: blocks the workflow until one has it
	}
	done, err := p.perform(ctx, working, w, op)
	done.Started = w.Started
	in := activities.AnswerRequestInput{Request: w.Request, Done: done}
	in.Request.Operator, in.Request.Params, in.Request.Prepared = nil, nil, run.Outcome{} // the run has them
	switch {
	case err == nil:
	case errors.Is(err, operators.ErrSkip):
		in.Error, in.ErrorType = err.Error(), operators.SkipType
	case w.Withdrawn:
		in.Cancelled = true
	default:
		in.Error, in.ErrorType = failure.Reason(err), failure.Type(err)
	}
	p.answer(ctx, in)
}

// perform performs the operator for the run that has requested it. If the operator panics, its try
// fails: it must not stop the pools of all DAGs.
func (p *poolsRun) perform(ctx, working workflow.Context, w *poolWork, op operators.Operator) (_ run.WorkDone, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			workflow.GetLogger(ctx).Error("An operator panicked", "dag", w.DAG, "task", w.Task, "panic", cause, "stack", string(debug.Stack()))
			err = fmt.Errorf("the operator panicked: %v (the log of the worker has the stack)", cause)
			p.panicked = true
			w.cancel()
		}
	}()
	try := operators.TaskInstance{
		DAG: w.DAG, Date: w.Date, Task: w.Task, Number: w.Try, WorkflowID: w.WorkflowID, RunID: w.RunID, Pooled: true, Alone: w.Slots == 1, Beside: p.beside(w),
		Params: w.Params, Prepared: w.Prepared,
		Report: func(out run.Outcome) {
			if w.Reported && w.Link == out.Link && w.JobRunID == out.JobRunID {
				return // before the workflow continued as new
			}
			w.Link, w.JobRunID, p.changed = out.Link, out.JobRunID, true
			p.report(ctx, w)
		},
	}
	if _, later := op.(operators.Reporter); !later {
		p.report(ctx, w)
	}
	worked := w.Worked + workflow.Now(ctx).Sub(w.Started)
	return operators.Perform(steps.WithPriority(steps.WithTaskRef(working, try.Ref()), w.Priority), op, try, operators.Limits{Timeout: w.Timeout, Worked: worked, Counts: w.Counts}, func() {
		w.Counting, p.changed = true, true
	})
}

// beside returns the other dates of the task that are at work, in a pool of several slots.
func (p *poolsRun) beside(w *poolWork) []dates.Date {
	var beside []dates.Date
	for _, other := range p.work {
		if other.DAG == w.DAG && other.Task == w.Task && other.Date != w.Date {
			beside = append(beside, other.Date)
		}
	}
	return beside
}

// report tells the run that its work has started. A run that has closed gets no work.
func (p *poolsRun) report(ctx workflow.Context, w *poolWork) {
	started := run.WorkStarted{RunID: w.RunID, Task: w.Task, Try: w.Try, Started: w.Started, Link: w.Link, JobRunID: w.JobRunID}
	workflow.Go(ctx, func(ctx workflow.Context) {
		if err := workflow.SignalExternalWorkflow(ctx, w.WorkflowID, w.RunID, run.StartedSignal, started).Get(ctx, nil); err != nil {
			workflow.GetLogger(ctx).Info("A run has closed; its work is cancelled", "run", w.WorkflowID, "task", w.Task, "error", err)
			w.withdraw()
			return
		}
		w.Reported = true
	})
}

// answer ends the activity of a request.
func (p *poolsRun) answer(ctx workflow.Context, in activities.AnswerRequestInput) {
	p.answering++
	if err := steps.ExecuteQuick(ctx, steps.AnswerPolicy, "answer "+in.Request.ActivityID+" of "+in.Request.WorkflowID, steps.AnswerRequest, in, nil); err != nil {
		workflow.GetLogger(ctx).Error("A request was not answered", "run", in.Request.WorkflowID, "activity", in.Request.ActivityID, "error", err)
	}
	p.answering--
	p.changed = true
}
