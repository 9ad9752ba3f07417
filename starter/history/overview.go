package history

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/pinflow/pinflow/internal/clients/fault"
	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/internal/schedule"
)

const (
	// overviewRuns is how many running runs are queried; the others are counted.
	overviewRuns = 20
	// overviewListed limits how many runs, and how many backfills, are read from visibility.
	overviewListed = 2000
	// DefaultDays is how many past days are searched for gaps by default.
	DefaultDays = 30
	// MaxDays limits the search for gaps: Temporal lists no more firings.
	MaxDays = schedule.MaxFirings
)

// Overview is the state of the DAG.
type Overview struct {
	DAG        string         `json:"dag"`
	Deployment run.Deployment `json:"deployment"`
	At         time.Time      `json:"at"`
	// Schedule is nil if there is none.
	Schedule *ScheduleNow `json:"schedule"`
	// Gaps holds the dates from Since on that need an operator.
	Since dates.Date `json:"since"`
	Gaps  []Gap      `json:"gaps"`
	// Expected is since when dates are expected: earlier ones are no gaps.
	Expected schedule.Expected `json:"expected"`
	// Warned holds the dates from Since on whose run has succeeded with warnings.
	Warned []WarnedDate `json:"warned,omitempty"`
	// Running holds open runs; RunningMore counts those that are not listed.
	Running     []RunNow      `json:"running"`
	RunningMore int           `json:"runningMore,omitempty"`
	Backfills   []BackfillNow `json:"backfills"`
	Pools       []PoolNow     `json:"pools"`
	// Unknown holds what is missing, and why.
	Unknown []Unknown `json:"unknown,omitempty"`
	// Lost is the error of a system that could not be used.
	Lost error `json:"-"`
}

// WarnedDate is a date whose run has succeeded with warnings.
type WarnedDate struct {
	Date     dates.Date `json:"date"`
	Warnings []string   `json:"warnings"`
}

// Unknown is a part of the overview that is missing.
type Unknown struct {
	What string `json:"what"`
	Why  string `json:"why"`
}

// ScheduleNow is the state of the Schedule.
type ScheduleNow struct {
	ID      string           `json:"id"`
	Paused  bool             `json:"paused"`
	Note    string           `json:"note,omitempty"`
	Next    *schedule.Firing `json:"next,omitempty"`
	Missed  int64            `json:"missed"`
	Skipped int64            `json:"skipped"`
	Dropped int64            `json:"dropped"`
	// Differs reports whether the Schedule differs from the settings and this build.
	Differs bool `json:"differs,omitempty"`
}

// RunNow is an open run.
type RunNow struct {
	Date    dates.Date  `json:"date"`
	State   run.State   `json:"state"`
	Trigger run.Trigger `json:"trigger"`
	Partial bool        `json:"partial"`
	Started time.Time   `json:"started"`
	// Now is what the run does and what it waits for, or why it is blocked; empty if no worker
	// answers.
	Now []string `json:"now"`
	UI  string   `json:"ui"`
}

// BackfillNow is a running backfill. Progress is nil if it is blocked, or if no worker answers.
type BackfillNow struct {
	WorkflowID string             `json:"workflowId"`
	Started    time.Time          `json:"started"`
	Blocked    *Blocked           `json:"blocked,omitempty"`
	Progress   *run.RangeProgress `json:"progress"`
	// Left is the estimated remaining time in seconds; nil if there is no estimate.
	Left *float64 `json:"left,omitempty"`
	UI   string   `json:"ui"`
}

// PoolNow is a pool. Work is in the order in which it started, Waiting in that in which it will.
type PoolNow struct {
	Name string `json:"name"`
	// Taken is how many of the slots are at work: tasks of several dates that go together take one.
	Slots   int        `json:"slots"`
	Taken   int        `json:"taken"`
	Work    []PoolTask `json:"work"`
	Waiting []PoolTask `json:"waiting"`
	// Announced holds the tasks of higher priority for which slots are kept.
	Announced []PoolTask `json:"announced,omitempty"`
	// Unknown reports whether the Pools workflow does not answer.
	Unknown bool `json:"unknown,omitempty"`
}

// PoolTask is a task at work in a pool, or one that waits for it. Try is not set for an announced
// one.
type PoolTask struct {
	DAG  string     `json:"dag"`
	Date dates.Date `json:"date"`
	Task string     `json:"task"`
	Try  int        `json:"try,omitempty"`
	// Link is the page of the Databricks run, if it has started.
	Link string `json:"link,omitempty"`
}

// Overview returns the state of the DAG. What no worker or no bucket answers for is in Unknown.
func (r *Reader) Overview(ctx context.Context, conn *temporal.Connection, days int) (*Overview, error) {
	o := &Overview{DAG: r.DAG.Name, Deployment: r.Settings.Deployment, At: r.Now().UTC(), Since: r.Yesterday().Add(1 - days), Gaps: []Gap{}, Running: []RunNow{}, Backfills: []BackfillNow{}, Pools: []PoolNow{}}
	_, workerErr := r.Builds().CheckWorker(ctx, conn)
	if fault.Unusable(workerErr) {
		return nil, workerErr
	}
	found, err := r.FindGaps(ctx, conn, o.Since)
	switch {
	case fault.Unusable(err):
		o.Lost = err
		o.Unknown = append(o.Unknown, Unknown{"the Schedule and the gaps", err.Error()})
	case err != nil:
		return nil, err
	default:
		o.Gaps, o.Schedule, o.Expected, o.Warned = found.Gaps(), found.now, found.Expected, found.warned()
	}
	query := workerErr == nil
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) { o.Running, o.RunningMore, err = r.runningRuns(ctx, conn, query); return err })
	group.Go(func() (err error) { o.Backfills, err = r.runningBackfills(ctx, conn, query); return err })
	group.Go(func() (err error) { o.Pools, err = r.pools(ctx, conn, query); return err })
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if o.silent() && workerErr == nil {
		workerErr = fmt.Errorf("no worker answers on task queue %s: look at its log, and see `starter doctor`", r.Settings.Deployment.TaskQueue())
	}
	if workerErr != nil {
		o.Unknown = append(o.Unknown, Unknown{"the activity of runs, the progress of backfills, the work of pools", workerErr.Error()})
	}
	return o, nil
}

// silent reports whether something is running that did not answer.
func (o *Overview) silent() bool {
	return slices.ContainsFunc(o.Running, func(r RunNow) bool { return len(r.Now) == 0 }) ||
		slices.ContainsFunc(o.Backfills, func(b BackfillNow) bool { return b.Progress == nil && b.Blocked == nil }) ||
		slices.ContainsFunc(o.Pools, func(p PoolNow) bool { return p.Unknown })
}
