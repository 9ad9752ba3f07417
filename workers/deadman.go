package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
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
	// deadmanInterval is how often overdue dates are looked for; a failed alarm is posted again then.
	deadmanInterval = time.Minute
	// deadmanLimit is how long one look, with its alarms, may take. A DAG's next look waits for it.
	deadmanLimit = 50 * time.Second
	// deadmanDays is how far back it looks. Who has not heard the alarm of a week will not hear another; `starter status` shows older gaps.
	deadmanDays = 7
)

// deadman looks for dates whose run has not ended by its deadline, also those that never started. It judges by what is missing, not by what
// happens: by the firings that a Schedule should have had, and the ledger. Every worker does it. That none runs it cannot see: the absence
// of its gauges tells, and `starter doctor` looks without a worker.
type deadman struct {
	dags   []dag.Definition
	find   func(ctx context.Context, named dag.Definition, since, now time.Time) (schedule.Report, error) // Lookout.Overdue
	gauges *observe.Dates
	log    *slog.Logger
	now    func() time.Time
	// alarms is nil without a hook.
	alarms *activities.Alarms
	// ui is the address of the namespace's pages in the Web UI.
	ui string

	// seen is what has been logged, settled the alarms that need no more posting; by DAG and date.
	seen    map[string]string
	settled map[string]bool
}

// newDeadman makes the check of all DAGs that have a deadline for their dates.
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
	lookout := schedule.Lookout{Temporal: conn, Namespace: conn.Namespace, Ledger: &ledger.Ledger{Objects: objects}}
	d := &deadman{
		dags: workflows.DefaultCatalog.DAGs, find: lookout.Overdue, gauges: gauges, log: log, now: time.Now, ui: ui,
		seen: map[string]string{}, settled: map[string]bool{},
	}
	if settings.AlarmHook != "" {
		d.alarms = &activities.Alarms{Objects: objects, Hook: settings.AlarmHook, HTTP: &http.Client{}, Owner: rand.Text(), Now: time.Now}
	}
	return d, nil
}

// start looks now, and then every minute until the context ends. The function that it returns waits for the last look.
func (d *deadman) start(ctx context.Context) (wait func()) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		ticks := time.NewTicker(deadmanInterval)
		defer ticks.Stop()
		for {
			d.look(ctx)
			select {
			case <-ticks.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() { <-ended }
}

// look looks at all DAGs. What fails is logged and left to the next look; the gauge of the last good one tells how long that has gone on.
func (d *deadman) look(ctx context.Context) {
	for _, named := range d.dags {
		if named.Deadline == 0 {
			continue
		}
		looking, done := context.WithTimeout(ctx, deadmanLimit)
		if err := d.check(looking, named); err != nil && ctx.Err() == nil {
			d.log.Warn("overdue dates could not be looked for, or not all reported; tried again within a minute", "dag", named.Name, "error", err)
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
		alarm := d.alarm(named.Name, o, report.Paused)
		d.tell(alarm)
		if err := d.raise(ctx, alarm); err != nil {
			failed = err // the others are raised all the same
		}
	}
	return failed
}

// alarm puts an overdue date into words.
func (d *deadman) alarm(dag string, o schedule.OverdueDate, paused string) activities.Alarm {
	alarm := activities.Alarm{DAG: dag, Date: o.Date, Due: o.Deadline.UTC(), State: string(o.State)}
	text := fmt.Sprintf("%s of %s is overdue: it was due at %s UTC, and %s.", dag, o.Date, alarm.Due.Format("2006-01-02 15:04"), o.Reason())
	if o.State == run.None {
		alarm.UI = d.ui + "/schedules/" + run.ScheduleID(dag)
		if paused != "" {
			text += fmt.Sprintf(" The Schedule is paused: %s.", strings.TrimSuffix(paused, "."))
		}
		text += fmt.Sprintf(" See `starter status`; run it with `starter run %s`.", o.Date)
	} else {
		alarm.UI = d.ui + "/workflows/" + run.WorkflowID(dag, o.Date)
		text += fmt.Sprintf(" See `starter status %s`.", o.Date)
	}
	alarm.Text = text
	return alarm
}

// tell logs an overdue date when it is first seen, and when its state has changed.
func (d *deadman) tell(alarm activities.Alarm) {
	if key := alarmName(alarm.DAG, alarm.Date); d.seen[key] != alarm.State {
		d.seen[key] = alarm.State
		d.log.Error(alarm.Text, "dag", alarm.DAG, "date", alarm.Date, "due", alarm.Due, "state", alarm.State)
	}
}

// raise posts the alarm to the hook, if there is one and nobody has.
func (d *deadman) raise(ctx context.Context, alarm activities.Alarm) error {
	key := alarmName(alarm.DAG, alarm.Date)
	if d.alarms == nil || d.settled[key] {
		return nil
	}
	raised, err := d.alarms.Raise(ctx, alarm)
	if err != nil {
		return err
	}
	switch raised {
	case activities.RaisedNow:
		d.log.Info("alarm posted", "dag", alarm.DAG, "date", alarm.Date)
		d.settled[key] = true
	case activities.RaisedBefore:
		d.settled[key] = true
	}
	return nil
}

func alarmName(dag string, date dates.Date) string { return dag + "/" + string(date) }
