package history

import (
	"context"
	"errors"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/pinflow/pinflow/internal/clients/fault"
	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/internal/search"
)

const (
	// maxSpanRuns limits what is read from visibility: more runs than a namespace retains of one
	// DAG.
	maxSpanRuns = 100_000
	// spanQueries is how many runs are queried at a time.
	spanQueries = 16
)

// Run is the latest run of a date.
type Run struct {
	run.Status
	// TasksUnknown reports whether the run could not be queried because it is blocked, or because no
	// worker answers. Its tasks are in state none then.
	TasksUnknown bool `json:"tasksUnknown,omitempty"`
	// Blocked is why the run is blocked; nil if it is not. WayOut is what to do about it, or about a
	// run that was ended from outside and that the ledger does not have.
	Blocked *Blocked `json:"blocked,omitempty"`
	WayOut  string   `json:"wayOut,omitempty"`
}

// Span is the latest run of each date in a span of dates that has run: the runs in the ledger,
// which outlives Temporal's retention, and the open runs and those that closed without an entry.
type Span struct {
	From, To dates.Date
	Runs     map[dates.Date]Run
	// Lost is why something is missing; nil if nothing is.
	Lost error

	tasks []string // ids of the DAG's tasks
}

// Span reads the runs of the dates from to to.
func (r *Reader) Span(ctx context.Context, from, to dates.Date) (*Span, error) {
	s := &Span{From: from, To: to, Runs: map[dates.Date]Run{}, tasks: r.DAG.DAG.IDs()}
	entries, err := r.Entries(ctx, from, to)
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		s.Runs[entry.Date] = Run{Status: entry.Status}
	}
	conn, err := r.Systems.Temporal(ctx)
	if err != nil {
		return s, s.lose(err)
	}
	defer conn.Close()
	rows, err := r.Runs(ctx, conn, search.Filter{From: from, To: to}, maxSpanRuns)
	if err != nil {
		return s, s.lose(err)
	}
	return s, s.overlay(ctx, r, conn, s.newer(rows))
}

// All returns the runs in the order of their dates.
func (s *Span) All() []Run {
	runs := []Run{}
	for date := s.From; date <= s.To; date = date.Add(1) {
		if r, ok := s.Runs[date]; ok {
			runs = append(runs, r)
		}
	}
	return runs
}

// TaskIDs returns the ids of the DAG's tasks, followed by those of tasks that only the runs have.
func (s *Span) TaskIDs() []string {
	ids := slices.Clone(s.tasks)
	for _, r := range s.All() {
		for _, task := range r.Tasks {
			if !slices.Contains(ids, task.ID) {
				ids = append(ids, task.ID)
			}
		}
	}
	return ids
}

// lose keeps an error after which a part of the span is known, and returns any other.
func (s *Span) lose(err error) error {
	if !fault.Unusable(err) {
		return err
	}
	s.Lost = err
	return nil
}

// newer returns the latest runs of their dates that the ledger does not have yet.
func (s *Span) newer(rows []RunRow) []RunRow {
	latest := map[dates.Date]RunRow{}
	for _, row := range rows {
		if before, ok := latest[row.Date]; row.Date != "" && (!ok || row.Started.After(before.Started)) {
			latest[row.Date] = row
		}
	}
	var found []RunRow
	for date, row := range latest {
		recorded, ok := s.Runs[date]
		if !ok || recorded.RunID != row.RunID && row.Started.After(recorded.Started) {
			found = append(found, row)
		}
	}
	slices.SortFunc(found, func(a, b RunRow) int { return strings.Compare(string(a.Date), string(b.Date)) })
	return found
}

// overlay queries the runs and puts them in place of what the ledger has.
func (s *Span) overlay(ctx context.Context, r *Reader, conn *temporal.Connection, rows []RunRow) error {
	queried := make([]Run, len(rows))
	missing := make([]error, len(rows))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(spanQueries)
	for i, row := range rows {
		if row.Blocked != nil {
			queried[i] = r.blocked(row.Run, row.Blocked)
			continue
		}
		group.Go(func() error {
			status, err := r.QueryRun(ctx, conn, row.WorkflowID, row.RunID)
			var blocked *BlockedError
			switch {
			case err == nil:
				queried[i] = r.settle(status, row.Run)
			case ctx.Err() != nil:
				return err
			case errors.As(err, &blocked):
				queried[i] = r.blocked(row.Run, &blocked.Blocked)
			default: // whatever is wrong with one run, the others are shown
				queried[i], missing[i] = r.unqueried(row.Run), err
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for i, found := range queried {
		s.Runs[rows[i].Date] = found
		if s.Lost == nil {
			s.Lost = missing[i]
		}
	}
	return nil
}

// unqueried returns what visibility alone knows of a run.
func (r *Reader) unqueried(found search.Run) Run {
	status := run.Status{
		DAG: r.DAG.Name, Date: found.Date, Trigger: found.Trigger, Partial: found.Partial, WorkflowID: found.WorkflowID, RunID: found.RunID,
		Started: found.Started, Ended: found.Ended,
	}
	status.State, status.Error = settled(found)
	for _, t := range r.DAG.DAG {
		status.Tasks = append(status.Tasks, run.Task{ID: t.ID, After: t.After, TriggerRule: string(t.TriggerRule.Name()), Pool: t.Pool, State: run.None})
	}
	return Run{Status: status, TasksUnknown: true, WayOut: r.wayOutOfClosed(found)}
}

// blocked returns what is known of a blocked run.
func (r *Reader) blocked(found search.Run, why *Blocked) Run {
	known := r.unqueried(found)
	known.State, known.Error, known.Blocked, known.WayOut = run.Blocked, why.String(), why, r.wayOut(found.WorkflowID)
	return known
}

// Latest returns the latest run of a date. lost is why only a part of it is known. The error is a
// *NoRunError if the date has not run.
func (r *Reader) Latest(ctx context.Context, date dates.Date) (found Run, lost, err error) {
	conn, err := r.Systems.Temporal(ctx)
	if fault.Unusable(err) {
		status, ledgerErr := r.RecordedStatus(ctx, date, "")
		return Run{Status: status}, err, ledgerErr
	}
	if err != nil {
		return Run{}, nil, err
	}
	defer conn.Close()
	return r.Look(ctx, conn, date)
}

// Look is Latest with a connection to Temporal.
func (r *Reader) Look(ctx context.Context, conn *temporal.Connection, date dates.Date) (found Run, lost, err error) {
	found, err = r.latest(ctx, conn, date)
	var blocked *BlockedError
	isBlocked := errors.As(err, &blocked)
	if !isBlocked && !errors.As(err, new(*NoWorkerError)) {
		return found, nil, err
	}
	lost = err
	description, err := conn.DescribeWorkflowExecution(ctx, r.WorkflowID(date), "")
	if err != nil {
		return Run{}, nil, conn.Classify(err)
	}
	known, err := search.Of(description.GetWorkflowExecutionInfo())
	if err != nil {
		return Run{}, nil, err
	}
	known.Date = date
	if isBlocked {
		return r.blocked(known, &blocked.Blocked), nil, nil
	}
	return r.unqueried(known), lost, nil
}
