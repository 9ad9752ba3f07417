package pools

import (
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows/operators"
	"github.com/pinflow/pinflow/workflows/steps"
)

const (
	// answersAtOnce is how many requests of a group are answered before the workflow looks again
	// whether a run of higher priority is open.
	answersAtOnce = 8
	// answerPause is the pause between two answers then. A Temporal server on SQLite needs about
	// 20 ms for what a run does after each; the worker's part comes on top.
	answerPause = 300 * time.Millisecond
)

// start does work in a coroutine, and then answers its requests. The run of a request that is not
// fresh may have been terminated while it waited; its work does not start.
//
// Work that was in progress when the workflow continued as new is done again, too: its operator
// rejoins the job that it has started.
func (p *poolsRun) start(ctx workflow.Context, w *poolWork, fresh bool) {
	workflow.Go(ctx, func(ctx workflow.Context) { p.finish(ctx, w, fresh) })
}

// finish does the work and answers its requests.
func (p *poolsRun) finish(ctx workflow.Context, w *poolWork, fresh bool) {
	defer p.remove(w)
	if !fresh {
		p.dropClosed(ctx, w)
		if len(w.members) == 0 {
			return
		}
	}
	var working workflow.Context
	working, w.cancel = workflow.WithCancel(ctx)
	if w.isWithdrawn() {
		w.cancel()
	}
	p.do(ctx, working, w)
}

func (p *poolsRun) remove(w *poolWork) {
	p.work = slices.DeleteFunc(p.work, func(other *poolWork) bool { return other == w })
	for _, m := range w.members {
		p.forget(m.Request)
	}
	p.changed = true
}

// dropClosed drops the requests whose runs have closed. The dates of the others are the group then.
func (p *poolsRun) dropClosed(ctx workflow.Context, w *poolWork) {
	var closed activities.ClosedRequesters
	var in activities.FindClosedInput
	for _, m := range w.members {
		in.Requesters = append(in.Requesters, activities.Requester{WorkflowID: m.WorkflowID, RunID: m.RunID})
	}
	if err := steps.ExecuteQuick(ctx, steps.PoolsPolicy, "look whether the runs are open", steps.FindClosed, in, &closed); err != nil {
		workflow.GetLogger(ctx).Warn("It is unknown whether runs are open; their work starts", "run", w.first().WorkflowID, "error", err)
	}
	w.members = slices.DeleteFunc(w.members, func(m *member) bool {
		return slices.Contains(closed.Requesters, activities.Requester{WorkflowID: m.WorkflowID, RunID: m.RunID})
	})
}

// do performs the operator and answers the requests.
func (p *poolsRun) do(ctx, working workflow.Context, w *poolWork) {
	op, err := p.operators.Decode(w.first().Operator)
	if err != nil {
		panic(err) // replayed on a build that lacks the operator: blocks the workflow until one has it
	}
	done, err := p.perform(ctx, working, w, op)
	var answers []activities.AnswerRequestInput
	for i, m := range w.members {
		if !m.Answered {
			answers = append(answers, answerOf(m, done[i], err))
		}
	}
	if len(answers) == 1 {
		p.answer(ctx, answers[0])
		return
	}
	p.answerAll(ctx, w, answers)
}

// answerAll ends the activities of a group. All its runs continue with their answers: while a run of
// higher priority is open, they do so one after the other. It takes a while, in which the workflow
// goes on: as local activities the answers would keep it from the requests of other runs.
func (p *poolsRun) answerAll(ctx workflow.Context, w *poolWork, answers []activities.AnswerRequestInput) {
	p.answering++
	p.groupsAnswering++
	defer func() {
		p.answering--
		p.groupsAnswering--
		p.answered, p.changed = workflow.Now(ctx), true
	}()
	sent := 0
	for some := range slices.Chunk(answers, answersAtOnce) {
		in := activities.AnswerRequestsInput{Answers: some}
		if p.outranked(w.first().Request) {
			in.Pause = answerPause
		}
		summary := fmt.Sprintf("answer %d to %d of %d requests of %s", sent+1, sent+len(some), len(answers), w.first().Task)
		sent += len(some)
		if err := workflow.ExecuteActivity(steps.WithPolicy(ctx, steps.AnswersPolicy, summary), steps.AnswerRequests, in).Get(ctx, nil); err != nil {
			workflow.GetLogger(ctx).Error("Requests were not answered", "task", w.first().Task, "error", err)
		}
	}
}

// answerOf returns the answer to a request whose work has ended.
func answerOf(m *member, done run.WorkDone, err error) activities.AnswerRequestInput {
	done.Started = m.Started
	in := activities.AnswerRequestInput{Request: m.Request, Done: done}
	in.Request.Operator, in.Request.Params, in.Request.Prepared = nil, nil, run.Outcome{} // the run has them
	switch {
	case err == nil:
	case errors.Is(err, operators.ErrSkip):
		in.Error, in.ErrorType = err.Error(), operators.SkipType
	case m.Withdrawn:
		in.Cancelled = true
	default:
		in.Error, in.ErrorType = failure.Reason(err), failure.Type(err)
	}
	return in
}

// perform performs the operator for the runs that have requested it. If the operator panics, its
// tries fail: it must not stop the pools of all DAGs.
func (p *poolsRun) perform(ctx, working workflow.Context, w *poolWork, op operators.Operator) (done []run.WorkDone, err error) {
	first := w.first()
	defer func() {
		if cause := recover(); cause != nil {
			workflow.GetLogger(ctx).Error("An operator panicked", "dag", first.DAG, "task", first.Task, "panic", cause, "stack", string(debug.Stack()))
			err = fmt.Errorf("the operator panicked: %v (the log of the worker has the stack)", cause)
			done = make([]run.WorkDone, len(w.members))
			p.panicked = true
			w.cancel()
		}
	}()
	_, later := op.(operators.Reporter)
	limits := operators.Limits{Timeout: first.Timeout, Counts: first.Counts}
	tries := make([]operators.TaskInstance, len(w.members))
	for i, m := range w.members {
		tries[i] = p.instance(ctx, w, m)
		if !later {
			p.report(ctx, w, m)
		}
		// The date that has the most time left decides: the others go with it.
		if worked := m.Worked + workflow.Now(ctx).Sub(m.Started); i == 0 || worked < limits.Worked {
			limits.Worked = worked
		}
	}
	ctx = steps.WithPriority(steps.WithTaskRef(working, tries[0].Ref()), first.Priority)
	return operators.PerformTogether(ctx, op, tries, limits, func() {
		w.count(true)
		p.changed = true
	})
}

// instance returns a member's try.
func (p *poolsRun) instance(ctx workflow.Context, w *poolWork, m *member) operators.TaskInstance {
	return operators.TaskInstance{
		DAG: m.DAG, Date: m.Date, Task: m.Task, Number: m.Try, WorkflowID: m.WorkflowID, RunID: m.RunID,
		Pooled: true, Alone: m.Slots == 1, Beside: p.beside(w), Params: m.Params, Prepared: m.Prepared,
		Report: func(out run.Outcome) {
			if m.Reported && m.Link == out.Link && m.JobRunID == out.JobRunID {
				return // before the workflow continued as new
			}
			m.Link, m.JobRunID, p.changed = out.Link, out.JobRunID, true
			p.report(ctx, w, m)
		},
	}
}

// beside returns the dates of the task that are at work otherwise, in a pool of several slots.
func (p *poolsRun) beside(w *poolWork) (beside []dates.Date) {
	for _, other := range p.work {
		if other == w {
			continue
		}
		for _, m := range other.members {
			if m.DAG == w.first().DAG && m.Task == w.first().Task {
				beside = append(beside, m.Date)
			}
		}
	}
	return beside
}

// report tells a run that its work has started. A run that has closed gets no work.
func (p *poolsRun) report(ctx workflow.Context, w *poolWork, m *member) {
	if m.Answered {
		return
	}
	started := run.WorkStarted{RunID: m.RunID, Task: m.Task, Try: m.Try, Started: m.Started, Link: m.Link, JobRunID: m.JobRunID, Together: w.together()}
	workflow.Go(ctx, func(ctx workflow.Context) {
		if err := workflow.SignalExternalWorkflow(ctx, m.WorkflowID, m.RunID, run.StartedSignal, started).Get(ctx, nil); err != nil {
			workflow.GetLogger(ctx).Info("A run has closed; it needs no work", "run", m.WorkflowID, "task", m.Task, "error", err)
			p.withdrawMember(ctx, w, m)
			return
		}
		m.Reported = true
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
