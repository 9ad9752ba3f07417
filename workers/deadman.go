package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/internal/clients/s3"
	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/internal/config"
	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/observe"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/internal/schedule"
	"github.com/pinflow/pinflow/workflows"
)

const (
	// deadmanInterval is how often the worker checks for overdue dates and posts failed alarms
	// again.
	deadmanInterval = time.Minute
	// deadmanTimeout limits the check of one DAG, with its alarms. The next check waits for it.
	deadmanTimeout = 50 * time.Second
	// deadmanDays is how far back the check goes. `starter status` shows older gaps.
	deadmanDays = 7
)

// deadman checks for dates whose run has not ended by its deadline, also for those that never
// started. It compares the firings that a Schedule should have had with the ledger. Every worker
// runs it. If no worker runs, its gauges are absent, and `starter doctor` checks without a worker.
type deadman struct {
	deployment run.Deployment
	catalog    dag.Catalog                                                                                    // the definitions are as the settings override them
	find       func(ctx context.Context, named dag.Definition, since, now time.Time) (schedule.Report, error) // Lookout.Overdue
	gauges     *observe.Dates
	log        *slog.Logger
	now        func() time.Time
	// alarms is nil without a hook.
	alarms *activities.Alarms
	// ui is the address of the namespace's pages in the Web UI.
	ui string

	// logged holds the states that have been logged, posted the alarms that have been posted; by
	// DAG and date.
	logged map[string]string
	posted map[string]bool
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
	lookout := schedule.Lookout{Temporal: conn, Namespace: conn.Namespace, Deployment: settings.Deployment, Ledger: &ledger.Ledger{Objects: objects}}
	d := &deadman{
		deployment: settings.Deployment, catalog: configured(workflows.DefaultCatalog, settings), find: lookout.Overdue, gauges: gauges, log: log, now: time.Now, ui: ui,
		logged: map[string]string{}, posted: map[string]bool{},
	}
	if settings.AlarmHook != "" {
		d.alarms = &activities.Alarms{Objects: objects, Hook: settings.AlarmHook, HTTP: &http.Client{}, Owner: rand.Text(), Now: time.Now}
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

// checkAll checks all DAGs that have a deadline. It logs errors, and the next check retries; a
// gauge has the time of the last successful check.
func (d *deadman) checkAll(ctx context.Context) {
	for _, named := range d.catalog.DAGs {
		if named.Deadline == 0 {
			continue
		}
		checking, done := context.WithTimeout(ctx, deadmanTimeout)
		if err := d.check(checking, named); err != nil && ctx.Err() == nil {
			d.log.Warn("the check for overdue dates failed, or an alarm was not posted; retrying within a minute", "dag", named.Name, "error", err)
		}
		done()
	}
}

// check finds the overdue dates of a DAG and reports them.
func (d *deadman) check(ctx context.Context, named dag.Definition) error {
	now := d.now()
	report, err := d.find(ctx, named, now.AddDate(0, 0, -deadmanDays), now)
	if err != nil {
		return err
	}
	d.gauges.Checked(ctx, named.Name, len(report.Overdue), now)
	var failed error
	for _, o := range report.Overdue {
		alarm := d.alarm(named.Name, o, report)
		d.report(alarm)
		if err := d.raise(ctx, alarm); err != nil {
			failed = err // the other alarms are still raised
		}
	}
	return failed
}

// alarm returns the alarm about an overdue date.
func (d *deadman) alarm(dag string, o schedule.OverdueDate, report schedule.Report) activities.Alarm {
	alarm := activities.Alarm{DAG: dag, Date: o.Date, Deadline: o.Deadline.UTC(), State: string(o.State)}
	text := fmt.Sprintf("%s of %s is overdue: its deadline was %s UTC, and %s.", dag, o.Date, alarm.Deadline.Format("2006-01-02 15:04"), o.Reason())
	if o.State == run.None {
		alarm.UI = d.ui + "/schedules/" + d.deployment.ScheduleID(dag)
		switch {
		case report.Gone:
			text += fmt.Sprintf(" There is no Schedule: create it with `%s`.", d.catalog.Command(dag, "schedule apply"))
		case report.Paused != "":
			text += fmt.Sprintf(" The Schedule is paused: %s.", strings.TrimSuffix(report.Paused, "."))
		}
		text += fmt.Sprintf(" See `%s`; run it with `%s`.", d.catalog.Command(dag, "status"), d.catalog.Command(dag, "run "+string(o.Date)))
	} else {
		alarm.UI = d.ui + "/workflows/" + d.deployment.WorkflowID(dag, o.Date)
		text += fmt.Sprintf(" See `%s`.", d.catalog.Command(dag, "status "+string(o.Date)))
	}
	alarm.Text = text
	return alarm
}

// report logs an overdue date once, and again when its state has changed.
func (d *deadman) report(alarm activities.Alarm) {
	if key := alarmName(alarm.DAG, alarm.Date); d.logged[key] != alarm.State {
		d.logged[key] = alarm.State
		d.log.Error(alarm.Text, "dag", alarm.DAG, "date", alarm.Date, "deadline", alarm.Deadline, "state", alarm.State)
	}
}

// raise posts the alarm to the hook, unless it was posted before.
func (d *deadman) raise(ctx context.Context, alarm activities.Alarm) error {
	key := alarmName(alarm.DAG, alarm.Date)
	if d.alarms == nil || d.posted[key] {
		return nil
	}
	raised, err := d.alarms.Raise(ctx, alarm)
	if err != nil {
		return err
	}
	switch raised {
	case activities.RaisedNow:
		d.log.Info("alarm posted", "dag", alarm.DAG, "date", alarm.Date)
		d.posted[key] = true
	case activities.RaisedBefore:
		d.posted[key] = true
	}
	return nil
}

func alarmName(dag string, date dates.Date) string { return dag + "/" + string(date) }
