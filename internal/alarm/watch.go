package alarm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"golang.org/x/sync/errgroup"

	"github.com/pinflow/pinflow/internal/bucket"
	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/internal/schedule"
	"github.com/pinflow/pinflow/internal/search"
)

// parallelRequests is how many runs are described at a time.
const parallelRequests = 8

// Watch finds what is worth an alarm, in Temporal's visibility store and in the ledger. Workflows do
// not take part: their histories have no event about alarms, and one that does not run raises one all
// the same.
type Watch struct {
	schedule.Lookout
	// Catalog gives the commands to run next.
	Catalog dag.Catalog
	// UI is the address of the namespace's pages in the Web UI.
	UI string
	// Query returns the status of an open run. It only adds the reason to an alarm: an error leaves
	// that out.
	Query func(ctx context.Context, workflowID, runID string) (run.Status, error)

	// replaced holds the ids of ended runs of whose date a later run has ended.
	replaced map[string]bool
}

// Found is what is worth an alarm.
type Found struct {
	// Checked reports whether overdue dates were looked for: not for a DAG without a deadline.
	Checked bool
	Overdue []schedule.OverdueDate
	Alarms  []Alarm
	// Open counts the open runs by their state: running, held or blocked.
	Open map[run.State]int
}

// Find looks at the open runs of a DAG and at what has happened after since. The definition is as the
// settings override it. With an error it returns what it found all the same: what keeps it from
// finding one kind must not silence the others.
func (w *Watch) Find(ctx context.Context, definition dag.Definition, since, now time.Time) (Found, error) {
	var found Found
	var errs []error
	if definition.Deadline > 0 {
		report, err := w.Overdue(ctx, definition, since, now)
		found.Checked, found.Overdue, errs = err == nil, report.Overdue, append(errs, err)
		for _, o := range report.Overdue {
			found.Alarms = append(found.Alarms, w.overdue(definition.Name, o, report))
		}
	}
	open, counts, err := w.open(ctx, definition.Name)
	found.Alarms, found.Open, errs = append(found.Alarms, open...), counts, append(errs, err)
	for _, filter := range []search.Filter{{State: run.Failed}, {State: search.TimedOut}, {Warned: true}} {
		filter.Deployment, filter.DAG, filter.EndedAfter = w.Deployment, definition.Name, since
		ended, err := w.ended(ctx, filter)
		found.Alarms, errs = append(found.Alarms, ended...), append(errs, err)
	}
	return found, errors.Join(errs...)
}

// overdue returns the alarm about an overdue date.
func (w *Watch) overdue(dag string, o schedule.OverdueDate, report schedule.Report) Alarm {
	a := Alarm{Kind: Overdue, State: Raised, Deployment: string(w.Deployment), DAG: dag, Date: o.Date, Deadline: o.Deadline.UTC()}
	a.Reason = fmt.Sprintf("its deadline was %s UTC, and %s.", a.Deadline.Format("2006-01-02 15:04"), o.Reason())
	if o.State != run.None {
		a.WorkflowID = w.Deployment.WorkflowID(dag, o.Date)
		a.UI, a.Command = w.UI+"/workflows/"+a.WorkflowID, w.Catalog.Command(dag, "status "+string(o.Date))
		return a.texted()
	}
	a.UI, a.Command = w.UI+"/schedules/"+w.Deployment.ScheduleID(dag), w.Catalog.Command(dag, "run "+string(o.Date))
	switch {
	case report.Gone:
		a.Reason += fmt.Sprintf(" There is no Schedule: create it with `%s`.", w.Catalog.Command(dag, "schedule apply"))
	case report.Paused != "":
		a.Reason += fmt.Sprintf(" The Schedule is paused: %s.", strings.TrimSuffix(report.Paused, "."))
	}
	return a.texted()
}

// of returns an alarm about a run, without its reason and command.
func (w *Watch) of(kind Kind, dag string, r search.Run) Alarm {
	return Alarm{
		Kind: kind, State: Raised, Deployment: string(w.Deployment), DAG: dag, Date: r.Date, WorkflowID: r.WorkflowID, RunID: r.RunID,
		UI: w.UI + "/workflows/" + r.WorkflowID + "/" + r.RunID,
	}
}

// open returns the alarms about open runs, and how many there are of each state.
func (w *Watch) open(ctx context.Context, dag string) ([]Alarm, map[run.State]int, error) {
	runs, err := search.Runs(ctx, w.Temporal, w.Namespace, search.Filter{Deployment: w.Deployment, DAG: dag, Open: true}, math.MaxInt32)
	if err != nil {
		return nil, nil, fmt.Errorf("list the open runs: %w", err)
	}
	looks := make([]look, len(runs))
	group, looking := errgroup.WithContext(ctx)
	group.SetLimit(parallelRequests)
	for i, r := range runs {
		group.Go(func() (err error) {
			looks[i], err = w.look(looking, r.WorkflowID, r.RunID)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, nil, err
	}
	var all []Alarm
	counts := map[run.State]int{run.Running: 0, run.Held: 0, run.Blocked: 0}
	for i, r := range runs {
		switch l := looks[i]; {
		case !l.open: // visibility is behind
			continue
		case l.attempt >= search.BlockedAttempts:
			counts[run.Blocked]++
			a := w.of(Blocked, dag, r)
			a.Reason = fmt.Sprintf("its workflow task fails since %s UTC, attempt %d; workers of a build that can run it continue it", l.failing.UTC().Format("2006-01-02 15:04"), l.attempt)
			a.Command = w.Catalog.Command(dag, "status "+string(r.Date))
			all = append(all, a.texted())
		case l.state == run.Held:
			counts[run.Held]++
			all = append(all, w.held(ctx, dag, r))
		default:
			counts[run.Running]++
		}
	}
	return all, counts, nil
}

// held returns the alarm about a held run. Only the run knows which of its tasks is held, and why.
func (w *Watch) held(ctx context.Context, dag string, r search.Run) Alarm {
	a := w.of(Held, dag, r)
	task := "<task>"
	a.Reason = "a task waits for a decision"
	if w.Query != nil {
		status, err := w.Query(ctx, r.WorkflowID, r.RunID)
		for _, t := range status.Tasks {
			if err == nil && t.State == run.Held {
				first, _, _ := strings.Cut(t.Error, "\n")
				task, a.Reason = t.ID, fmt.Sprintf("%s waits for a decision: %s", t.ID, first)
				break
			}
		}
	}
	a.Command = w.Catalog.Command(dag, fmt.Sprintf("task retry|skip|fail|succeed %s %s --reason …", r.Date, task))
	return a.texted()
}

// ended returns the alarms about runs that have ended, failed or with warnings, if no later run of
// their date has ended.
func (w *Watch) ended(ctx context.Context, filter search.Filter) ([]Alarm, error) {
	runs, err := search.Runs(ctx, w.Temporal, w.Namespace, filter, math.MaxInt32)
	if err != nil {
		return nil, fmt.Errorf("list the ended runs: %w", err)
	}
	runs = slices.DeleteFunc(runs, func(r search.Run) bool { return r.Date == "" || w.replaced[r.RunID] })
	entries := make([]*ledger.Entry, len(runs))
	group, reading := errgroup.WithContext(ctx)
	group.SetLimit(bucket.ParallelRequests) // a failed backfill can have hundreds
	for i, r := range runs {
		group.Go(func() (err error) {
			entries[i], err = w.Ledger.Entry(reading, filter.DAG, r.Date)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var all []Alarm
	for i, r := range runs {
		entry := entries[i]
		if entry == nil {
			entry = &ledger.Entry{}
		}
		if entry.RunID != r.RunID && entry.Ended.After(r.Ended) {
			w.replace(r.RunID)
			continue
		}
		recorded := entry.RunID == r.RunID
		a := w.of(Failed, filter.DAG, r)
		a.Since = r.Ended.UTC()
		switch {
		case filter.Warned:
			a.Kind = Warning
			a.Reason = strings.Join(entry.Warnings, "; ")
			a.Command = w.Catalog.Command(filter.DAG, "status "+string(r.Date))
		case recorded:
			a.Reason, _, _ = strings.Cut(entry.Failure(), "\n")
			a.Command = w.Catalog.Command(filter.DAG, fmt.Sprintf("rerun %s --failed", r.Date))
		default:
			a.Reason = fmt.Sprintf("the run ended as %s and has left no entry in the ledger", r.State)
			a.Command = w.Catalog.Command(filter.DAG, "run "+string(r.Date))
		}
		a.Reason = cmp.Or(a.Reason, "the ledger has no reason")
		all = append(all, a.texted())
	}
	return all, nil
}

func (w *Watch) replace(runID string) {
	if w.replaced == nil {
		w.replaced = map[string]bool{}
	}
	w.replaced[runID] = true
}

// Over reports whether the cause of an alarm is gone, and what resolved it. It needs evidence: what
// Find does not find any more may only be too long ago.
func (w *Watch) Over(ctx context.Context, a Alarm) (reason string, over bool, err error) {
	switch a.Kind {
	case Held, Blocked:
		l, err := w.look(ctx, a.WorkflowID, a.RunID)
		switch {
		case err != nil:
			return "", false, err
		case !l.open:
			return "the run has ended: " + string(l.state), true, nil
		case a.Kind == Blocked && l.attempt < search.BlockedAttempts:
			return "its workflow task succeeds again", true, nil
		case a.Kind == Held && l.state != run.Held:
			return "a decision was made", true, nil
		}
		return "", false, nil
	}
	return w.overForDate(ctx, a.Kind, a.DAG, a.Date, a)
}

// overForDate answers Over from the ledger.
func (w *Watch) overForDate(ctx context.Context, kind Kind, dag string, date dates.Date, a Alarm) (string, bool, error) {
	entry, err := w.Ledger.Entry(ctx, dag, date)
	if err != nil || entry == nil {
		return "", false, err
	}
	if kind == Overdue {
		return "its run has ended: " + string(entry.State), !entry.Partial, nil
	}
	later := entry.RunID != a.RunID && entry.Ended.After(a.Since)
	good := entry.State == run.Success && (kind == Failed || !entry.Warned())
	return "a later run has succeeded", later && good, nil
}

// look is what Temporal itself knows of a run: unlike the visibility store it is never behind.
type look struct {
	open    bool
	state   run.State
	attempt int32     // of the workflow task
	failing time.Time // since when the workflow task fails
}

// look describes a run. One that Temporal has forgotten is not open.
func (w *Watch) look(ctx context.Context, workflowID, runID string) (look, error) {
	description, err := w.Temporal.WorkflowService().DescribeWorkflowExecution(ctx, &workflowservice.DescribeWorkflowExecutionRequest{
		Namespace: w.Namespace, Execution: &commonpb.WorkflowExecution{WorkflowId: workflowID, RunId: runID},
	})
	if errors.As(err, new(*serviceerror.NotFound)) {
		return look{state: "unknown"}, nil
	}
	if err != nil {
		return look{}, fmt.Errorf("describe run %s: %w", workflowID, err)
	}
	found, err := search.Of(description.GetWorkflowExecutionInfo())
	pending := description.GetPendingWorkflowTask()
	return look{
		open:  description.GetWorkflowExecutionInfo().GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING,
		state: found.State, attempt: pending.GetAttempt(), failing: pending.GetOriginalScheduledTime().AsTime(),
	}, err
}
