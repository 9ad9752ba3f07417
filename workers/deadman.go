package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/pinflow/pinflow/internal/alarm"
	"github.com/pinflow/pinflow/internal/clients/s3"
	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/config"
	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/observe"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/internal/schedule"
	"github.com/pinflow/pinflow/workflows"
)

const (
	// deadmanInterval is how often the worker looks for alarms, and posts those again that the hook
	// rejected.
	deadmanInterval = time.Minute
	// deadmanTimeout limits the check of one DAG, with its alarms. The next check waits for it.
	deadmanTimeout = 50 * time.Second
	// queryTimeout limits the question to a held run which of its tasks is held.
	queryTimeout = 5 * time.Second
	// deadmanDays is how far back the check goes. `starter status` shows older gaps.
	deadmanDays = 7
)

// deadman looks for what is worth an alarm: dates whose run has not ended by its deadline, also those
// that never started, and runs that failed, are held or blocked, or warn. Every worker runs it. If no
// worker runs, its gauges are absent, and `starter doctor` checks without a worker.
type deadman struct {
	catalog dag.Catalog                                                                                // the definitions are as the settings override them
	find    func(ctx context.Context, named dag.Definition, since, now time.Time) (alarm.Found, error) // Watch.Find
	over    func(ctx context.Context, a alarm.Alarm) (reason string, over bool, err error)             // Watch.Over
	gauges  *observe.Dates
	log     *slog.Logger
	now     func() time.Time
	// board is nil without a hook.
	board *alarm.Board

	// logged holds what has been logged, and posted the alarms that are known to be posted, while
	// they last; by Alarm.Cause.
	logged, posted map[string]bool
}

// newDeadman returns the check of all DAGs of the catalog.
func newDeadman(ctx context.Context, conn *temporal.Connection, settings config.Config, metrics *observe.Metrics, log *slog.Logger) (*deadman, error) {
	gauges, err := metrics.Dates()
	if err != nil {
		return nil, err
	}
	objects, err := s3.New(ctx, settings)
	if err != nil {
		return nil, &settingsError{err}
	}
	ui, err := url.JoinPath(settings.UIURL, "namespaces", conn.Namespace)
	if err != nil {
		return nil, &settingsError{fmt.Errorf("PINFLOW_TEMPORAL_UI_URL=%q: %w", settings.UIURL, err)}
	}
	catalog := configured(workflows.DefaultCatalog, settings)
	watch := &alarm.Watch{
		Lookout: schedule.Lookout{Temporal: conn, Namespace: conn.Namespace, Deployment: settings.Deployment, Ledger: &ledger.Ledger{Objects: objects}},
		Catalog: catalog, UI: ui,
		Query: func(ctx context.Context, workflowID, runID string) (status run.Status, _ error) {
			ctx, done := context.WithTimeout(ctx, queryTimeout)
			defer done()
			answer, err := conn.QueryWorkflow(ctx, workflowID, runID, run.StatusQuery)
			if err != nil {
				return status, err
			}
			return status, answer.Get(&status)
		},
	}
	d := &deadman{
		catalog: catalog, find: watch.Find, over: watch.Over, gauges: gauges, log: log, now: time.Now,
		logged: map[string]bool{}, posted: map[string]bool{},
	}
	if settings.AlarmHook != "" {
		hook := &alarm.Hook{URL: settings.AlarmHook, Format: cmp.Or(alarm.Format(settings.AlarmFormat), alarm.FormatOf(settings.AlarmHook)), HTTP: &http.Client{}}
		d.board = &alarm.Board{Objects: objects, Post: hook.Post, Owner: rand.Text(), Now: time.Now}
	}
	return d, nil
}

// configured returns the catalog with what the settings override.
func configured(catalog dag.Catalog, settings config.Config) dag.Catalog {
	catalog.DAGs = slices.Clone(catalog.DAGs)
	for i, definition := range catalog.DAGs {
		catalog.DAGs[i] = settings.Definition(definition)
	}
	return catalog
}

// start checks now, and then every minute until the context ends. The function that it returns
// waits for the last check.
func (d *deadman) start(ctx context.Context) (wait func()) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		ticks := time.NewTicker(deadmanInterval)
		defer ticks.Stop()
		for {
			d.checkAll(ctx)
			select {
			case <-ticks.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() { <-ended }
}

// checkAll checks all DAGs. It logs errors, and the next check retries; a gauge has the time of the
// last successful check.
func (d *deadman) checkAll(ctx context.Context) {
	for _, named := range d.catalog.DAGs {
		checking, done := context.WithTimeout(ctx, deadmanTimeout)
		if err := d.check(checking, named); err != nil && ctx.Err() == nil {
			d.log.Warn("the check for overdue, failed and held runs failed, or an alarm was not posted; retrying within a minute", "dag", named.Name, "error", err)
		}
		done()
	}
}

// check finds what is worth an alarm, reports it, and resolves the alarms whose cause is gone.
func (d *deadman) check(ctx context.Context, named dag.Definition) error {
	now := d.now()
	found, failed := d.find(ctx, named, now.AddDate(0, 0, -deadmanDays), now)
	if found.Checked {
		d.gauges.Checked(ctx, named.Name, len(found.Overdue), now)
	}
	d.gauges.Open(ctx, named.Name, found.Open)
	lasting, complete := map[string]bool{}, failed == nil
	for _, a := range found.Alarms {
		lasting[a.Cause()] = true
		d.report(a)
		if err := d.raise(ctx, a); err != nil {
			failed = errors.Join(failed, err) // the other alarms are still raised
		}
	}
	if complete {
		d.forget(named.Name, lasting)
	}
	return errors.Join(failed, d.resolve(ctx, named.Name, lasting))
}

// report logs an alarm once while it lasts.
func (d *deadman) report(a alarm.Alarm) {
	if d.logged[a.Cause()] {
		return
	}
	d.logged[a.Cause()] = true
	level := slog.LevelError
	if a.Kind == alarm.Warning {
		level = slog.LevelWarn
	}
	d.log.Log(context.Background(), level, a.Text, "kind", a.Kind, "dag", a.DAG, "date", a.Date, "run_id", a.RunID)
}

// forget drops what is known of alarms that do not last.
func (d *deadman) forget(dag string, lasting map[string]bool) {
	for _, known := range []map[string]bool{d.logged, d.posted} {
		maps.DeleteFunc(known, func(cause string, _ bool) bool { return strings.HasPrefix(cause, dag+"/") && !lasting[cause] })
	}
}

// raise posts the alarm to the hook, unless it was posted before.
func (d *deadman) raise(ctx context.Context, a alarm.Alarm) error {
	if d.board == nil || d.posted[a.Cause()] {
		return nil
	}
	posted, err := d.board.Raise(ctx, a)
	if err != nil {
		return err
	}
	switch posted {
	case alarm.PostedNow:
		d.log.Info("alarm posted", "kind", a.Kind, "dag", a.DAG, "date", a.Date)
		d.posted[a.Cause()] = true
	case alarm.PostedBefore:
		d.posted[a.Cause()] = true
	}
	return nil
}

// resolve posts that alarms are resolved whose cause is gone. Causes that were just found last.
func (d *deadman) resolve(ctx context.Context, dag string, lasting map[string]bool) error {
	if d.board == nil {
		return nil
	}
	unresolved, err := d.board.Unresolved(ctx, dag)
	if err != nil {
		return err
	}
	var failed error
	for _, known := range unresolved {
		if lasting[known.Cause()] {
			continue
		}
		reason, over, err := d.over(ctx, known.Alarm)
		if err == nil && over {
			_, err = d.board.Resolve(ctx, known, reason)
		}
		if err != nil {
			failed = err // the other alarms are still resolved
		}
	}
	return failed
}
