package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"go.temporal.io/api/serviceerror"
	"golang.org/x/sync/errgroup"

	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/internal/schedule"
)

const (
	// overviewRuns is how many of the runs that are going are asked what they do; the others are counted.
	overviewRuns = 20
	// overviewListed bounds how many runs, and how many backfills, are read from visibility.
	overviewListed = 2000
	// overviewDays is how many days back the gaps are looked for, unless said otherwise.
	overviewDays = 30
	// maxOverviewDays is as many as Temporal lists firings of a daily Schedule.
	maxOverviewDays = schedule.MaxFirings
)

// overview is how the DAG stands, all dates together.
type overview struct {
	DAG string    `json:"dag"`
	At  time.Time `json:"at"`
	// Schedule is nil if there is none.
	Schedule *scheduleNow `json:"schedule"`
	// Gaps are the dates from Since on that need somebody.
	Since dates.Date `json:"since"`
	Gaps  []gap      `json:"gaps"`
	// Running are runs that are going; RunningMore counts those that are not listed.
	Running     []runNow      `json:"running"`
	RunningMore int           `json:"runningMore,omitempty"`
	Backfills   []backfillNow `json:"backfills"`
	Pools       []poolNow     `json:"pools"`
	// Unknown are what could not be asked, and why.
	Unknown []unknown `json:"unknown,omitempty"`
	// lost is the error of a system that could not be reached.
	lost error
}

// unknown is something that could not be asked.
type unknown struct {
	What string `json:"what"`
	Why  string `json:"why"`
}

// scheduleNow is the state of the Schedule.
type scheduleNow struct {
	ID      string           `json:"id"`
	Paused  bool             `json:"paused"`
	Note    string           `json:"note,omitempty"`
	Next    *schedule.Firing `json:"next,omitempty"`
	Missed  int64            `json:"missed"`
	Skipped int64            `json:"skipped"`
	Dropped int64            `json:"dropped"`
	// Differs says that it is not what the settings and this build say it is.
	Differs bool `json:"differs,omitempty"`
}

// runNow is a run that is going.
type runNow struct {
	Date    dates.Date `json:"date"`
	State   string     `json:"state"`
	Trigger string     `json:"trigger"`
	Partial bool       `json:"partial"`
	Started time.Time  `json:"started"`
	// Now is what it does and what it waits for; nothing if no worker could be asked.
	Now []string `json:"now"`
	UI  string   `json:"ui"`
}

// backfillNow is a backfill that is going. Progress is nil if no worker could be asked for it.
type backfillNow struct {
	WorkflowID string             `json:"workflowId"`
	Started    time.Time          `json:"started"`
	Progress   *run.RangeProgress `json:"progress"`
	// Left is how many seconds it still needs, as far as can be told.
	Left *float64 `json:"left,omitempty"`
	UI   string   `json:"ui"`
}

// poolNow is a pool. Holders and Waiting are in the order in which they came and will be served.
type poolNow struct {
	Name    string     `json:"name"`
	Slots   int        `json:"slots"`
	Holders []run.Slot `json:"holders"`
	Waiting []run.Slot `json:"waiting"`
	// Announced are slots that are kept from those who wait and stand behind.
	Announced []run.Reservation `json:"announced,omitempty"`
	// Unknown says that the pool is busy, but could not be asked.
	Unknown bool `json:"unknown,omitempty"`
}

// overviewCommand is `starter status` without a date.
func (a *app) overviewCommand(c *cobra.Command, days int) error {
	if days < 1 || days > maxOverviewDays {
		return usagef("--days %d: it is between 1 and %d", days, maxOverviewDays)
	}
	conn, err := a.connect.temporal(c.Context())
	if err != nil {
		return err
	}
	defer conn.Close()
	o, err := a.overview(c.Context(), conn, days)
	if err != nil {
		return err
	}
	if a.form(c) == formJSON {
		err = a.printJSON(o)
	} else {
		a.showOverview(o)
	}
	if err == nil && o.lost != nil {
		return errShown{exitUnreachable}
	}
	return err
}

// overview asks for everything, side by side. What no worker or no bucket answers for is left out, and said to be.
func (a *app) overview(ctx context.Context, conn *temporal.Connection, days int) (*overview, error) {
	o := &overview{DAG: dailyName, At: a.now().UTC(), Since: a.yesterday().Add(1 - days), Gaps: []gap{}, Running: []runNow{}, Backfills: []backfillNow{}, Pools: []poolNow{}}
	description, err := scheduleHandle(ctx, conn).Describe(ctx)
	if err != nil && !errors.As(err, new(*serviceerror.NotFound)) {
		return nil, conn.Classify(err)
	}
	_, workerErr := a.checkWorker(ctx, conn)
	if exitCode(workerErr) == exitUnreachable {
		return nil, workerErr
	}
	found, err := a.findGaps(ctx, conn, description, o.Since)
	switch {
	case exitCode(err) == exitUnreachable:
		o.lost = err
		o.Unknown = append(o.Unknown, unknown{"the Schedule and the gaps", err.Error()})
	case err != nil:
		return nil, err
	default:
		o.Gaps, o.Schedule = found.gaps(), found.now
	}
	asking := workerErr == nil
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) { o.Running, o.RunningMore, err = a.runningRuns(ctx, conn, asking); return err })
	group.Go(func() (err error) { o.Backfills, err = a.runningBackfills(ctx, conn, asking); return err })
	group.Go(func() (err error) { o.Pools, err = a.pools(ctx, conn, asking); return err })
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if o.silent() && workerErr == nil {
		workerErr = fmt.Errorf("no worker answers on task queue %s: look at its log", run.TaskQueue)
	}
	if workerErr != nil {
		o.Unknown = append(o.Unknown, unknown{"what runs do, how far backfills are, who holds pools", workerErr.Error()})
	}
	return o, nil
}

// silent says that something is going that could not be asked.
func (o *overview) silent() bool {
	return slices.ContainsFunc(o.Running, func(r runNow) bool { return len(r.Now) == 0 }) ||
		slices.ContainsFunc(o.Backfills, func(b backfillNow) bool { return b.Progress == nil }) ||
		slices.ContainsFunc(o.Pools, func(p poolNow) bool { return p.Unknown })
}
