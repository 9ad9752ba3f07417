package history

import (
	"cmp"
	"context"
	"slices"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/converter"

	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/internal/search"
)

// Closed returns the end of a run that has closed without recording it. What the run did comes from
// the run itself or, if no worker can replay it, from its history. known reports whether the run
// answered.
//
// A run that was ended from outside is cancelled, and so are its tasks that were not final.
func (r *Reader) Closed(ctx context.Context, conn *temporal.Connection, found search.Run) (status run.Status, known bool, err error) {
	read, err := readRun(ctx, conn, found)
	if err != nil {
		return run.Status{}, false, err
	}
	if read.tasks == nil { // not even the first workflow task has succeeded
		read.tasks = r.DAG.DAG
	}
	status, err = r.QueryRun(ctx, conn, found.WorkflowID, found.RunID)
	switch {
	case err == nil && status.State.Final():
		return status, true, nil
	case err == nil && found.EndedOutside():
		return interrupted(status, found.Ended, read.end), true, nil
	case err != nil && ctx.Err() != nil, !found.EndedOutside():
		return run.Status{}, false, err
	}
	former, err := r.Entry(ctx, found.Date)
	if err != nil {
		return run.Status{}, false, err
	}
	return interrupted(read.status(r.DAG.Name, found, former), found.Ended, read.end), false, nil
}

// interrupted returns the status of a run that was ended from outside.
func interrupted(status run.Status, at time.Time, why string) run.Status {
	status.State, status.Ended, status.Error, status.Paused = run.Cancelled, at, why, ""
	status.Tasks = slices.Clone(status.Tasks)
	for i := range status.Tasks {
		t := &status.Tasks[i]
		if t.State.Final() {
			continue
		}
		if t.Trying != nil {
			try := *t.Trying
			try.State, try.Ended, try.Link, try.JobRunID, try.Error = run.Cancelled, at, t.Link, t.JobRunID, why
			t.History, t.Trying = append(slices.Clip(t.History), try), nil
		}
		t.State, t.Ended, t.Waiting, t.Error = run.Cancelled, at, "", why
	}
	return status
}

// recordedRun is what the history of a run has, for a run that no worker can replay.
type recordedRun struct {
	in      run.Input
	tasks   []dag.Task // the table of the run, without operators
	tries   map[string][]run.Try
	done    map[string]run.WorkDone // the result of the latest try, if that succeeded
	decided bool                    // an operator has decided about tasks
	end     string                  // who ended the run, and why

	scheduled map[int64]run.Request // by the event that scheduled its activity
}

func newRecordedRun() *recordedRun {
	return &recordedRun{tries: map[string][]run.Try{}, done: map[string]run.WorkDone{}, scheduled: map[int64]run.Request{}}
}

// tableMarker is the name of the marker of a side effect. The first one of a run has its table.
const tableMarker = "SideEffect"

// runInPool is the activity with which a run waits for the work of a try, by its name in history.
const runInPool = "RunInPool"

// readRun reads the history of a run. Details that another build has recorded differently are left
// out: they only add to the entry.
func readRun(ctx context.Context, conn *temporal.Connection, found search.Run) (*recordedRun, error) {
	read := newRecordedRun()
	events := conn.GetWorkflowHistory(ctx, found.WorkflowID, found.RunID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		if err != nil {
			return nil, conn.Classify(err)
		}
		read.take(event)
	}
	return read, nil
}

func (r *recordedRun) take(event *historypb.HistoryEvent) {
	decode := converter.GetDefaultDataConverter().FromPayloads
	switch event.GetEventType() {
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
		_ = decode(event.GetWorkflowExecutionStartedEventAttributes().GetInput(), &r.in)
	case enumspb.EVENT_TYPE_MARKER_RECORDED:
		marker := event.GetMarkerRecordedEventAttributes()
		var table struct{ Tasks []dag.Task }
		if r.tasks == nil && marker.GetMarkerName() == tableMarker && decode(marker.GetDetails()["data"], &table) == nil {
			r.tasks = table.Tasks
		}
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED:
		r.decided = r.decided || event.GetWorkflowExecutionUpdateAcceptedEventAttributes().GetAcceptedRequest().GetInput().GetName() == run.DecideUpdate
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
		var started run.WorkStarted
		signal := event.GetWorkflowExecutionSignaledEventAttributes()
		if signal.GetSignalName() == run.StartedSignal && decode(signal.GetInput(), &started) == nil {
			r.started(started)
		}
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED:
		by := event.GetWorkflowExecutionTerminatedEventAttributes()
		r.end = "terminated"
		if by.GetIdentity() != "" {
			r.end += " by " + by.GetIdentity()
		}
		if by.GetReason() != "" {
			r.end += ": " + by.GetReason()
		}
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT:
		r.end = "the workflow timed out"
	default:
		r.takeWork(event)
	}
}

// takeWork keeps the tries that the run requested from the Pools workflow, and how they ended.
func (r *recordedRun) takeWork(event *historypb.HistoryEvent) {
	decode := converter.GetDefaultDataConverter().FromPayloads
	at := event.GetEventTime().AsTime()
	if a := event.GetActivityTaskScheduledEventAttributes(); a.GetActivityType().GetName() == runInPool {
		var request run.Request
		if decode(a.GetInput(), &request) == nil {
			r.scheduled[event.GetEventId()] = request
			r.tries[request.Task] = append(r.tries[request.Task], run.Try{Number: request.Try, Started: at, Queued: at})
			delete(r.done, request.Task)
		}
	}
	if a := event.GetActivityTaskCompletedEventAttributes(); a != nil {
		request, ok := r.scheduled[a.GetScheduledEventId()]
		var done run.WorkDone
		if ok && decode(a.GetResult(), &done) == nil {
			r.ended(request, at, run.Success, "")
			r.done[request.Task] = done
		}
	}
	if a := event.GetActivityTaskFailedEventAttributes(); a != nil {
		if request, ok := r.scheduled[a.GetScheduledEventId()]; ok {
			r.ended(request, at, run.Failed, a.GetFailure().GetMessage())
		}
	}
	if a := event.GetActivityTaskCanceledEventAttributes(); a != nil {
		if request, ok := r.scheduled[a.GetScheduledEventId()]; ok {
			r.ended(request, at, run.Cancelled, "")
		}
	}
}

// try returns a try that was requested, or nil.
func (r *recordedRun) try(task string, number int) *run.Try {
	tries := r.tries[task]
	if i := slices.IndexFunc(tries, func(t run.Try) bool { return t.Number == number }); i >= 0 {
		return &tries[i]
	}
	return nil
}

func (r *recordedRun) started(w run.WorkStarted) {
	if try := r.try(w.Task, w.Try); try != nil {
		try.Granted, try.Link, try.JobRunID = w.Started, w.Link, w.JobRunID
	}
}

func (r *recordedRun) ended(request run.Request, at time.Time, state run.State, why string) {
	if try := r.try(request.Task, request.Try); try != nil {
		try.State, try.Ended, try.Error = state, at, why
	}
}

// status returns the status of the run, before its end. former is the ledger entry of its date, from
// which a rerun has the results of other tasks; nil if there is none.
func (r *recordedRun) status(name string, found search.Run, former *ledger.Entry) run.Status {
	in := r.in
	var kept run.Status
	if former != nil && former.RunID != found.RunID && len(in.RerunTasks) > 0 {
		kept = former.Status
		in = in.Keep(kept)
	}
	status := run.Status{
		DAG: name, Date: found.Date, State: run.Running, Trigger: cmp.Or(in.Trigger, found.Trigger), WorkflowID: found.WorkflowID, RunID: found.RunID,
		Started: found.Started, Partial: !found.Date.Over(found.Started), Until: found.Date.End(), Params: in.Params, TriggeredBy: in.TriggeredBy,
		Tags: in.Tags, Hold: in.Hold, RunTimeout: in.RunTimeout,
	}
	if status.Partial {
		status.Until = found.Started
	}
	for _, row := range r.tasks {
		task := r.task(row, kept.Task(row.ID))
		status.Tasks = append(status.Tasks, task)
		if !task.Until.IsZero() { // it has read the source
			status.Partial, status.Until = task.Partial, task.Until
		}
	}
	return status
}

// task returns a task of the run; kept is that of the run before it. It is a success only if nothing
// but its work could decide that.
func (r *recordedRun) task(row dag.Task, kept run.Task) run.Task {
	if kept.State.Final() && !slices.Contains(r.in.RerunTasks, row.ID) {
		kept.Carried = true
		return kept
	}
	task := run.Task{ID: row.ID, After: row.After, TriggerRule: string(row.TriggerRule.Name()), Pool: row.Pool, State: run.None, Tries: kept.Tries, History: kept.History}
	for _, try := range r.tries[row.ID] {
		task.Tries = try.Number
		task.Link, task.JobRunID = try.Link, try.JobRunID
		if task.Started.IsZero() {
			task.Started = try.Started
		}
		if try.State != "" {
			task.History, task.Ended, task.Trying = append(slices.Clip(task.History), try), try.Ended, nil
			continue
		}
		task.State, task.Ended, task.Trying = run.Running, time.Time{}, &try
	}
	if done, ok := r.done[row.ID]; ok && !r.decided && !row.Expect.Demands() {
		task.State, task.Outcome, task.Warnings = run.Success, done.Outcome, row.Expect.Warnings(done.Outcome)
	}
	return task
}
