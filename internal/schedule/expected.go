package schedule

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
)

// Origin is what says since when dates are expected.
type Origin string

// The origins.
const (
	// FromStartDate is the DAG's StartDate, or PINFLOW_START_DATE.
	FromStartDate Origin = "start date"
	// FromSchedule is the creation of the Schedule.
	FromSchedule Origin = "Schedule"
	// FromFirings is the first run that a Schedule started: it is earlier than the creation of a
	// Schedule that was deleted and created again.
	FromFirings Origin = "scheduled run"
	// FromLedger is the first run that the ledger knows, for a DAG whose Schedule does not exist.
	FromLedger Origin = "ledger"
)

// Expected is which dates of a DAG should have run.
type Expected struct {
	// Since is the first date that is expected; empty if none is. Origin is what says so.
	Since  dates.Date `json:"since,omitempty"`
	Origin Origin     `json:"origin,omitempty"`
	// Gone reports whether the DAG has a schedule in its definition or the settings, but no Schedule
	// in Temporal: it was deleted, or never created.
	Gone bool `json:"gone,omitempty"`

	// Firings holds when the Schedule should have fired, for the expected dates.
	Firings []Firing `json:"-"`
	// Schedule is the Schedule in Temporal; nil if there is none.
	Schedule *client.ScheduleDescription `json:"-"`
}

// ExpectInput selects the DAG and the dates of which Expect says whether they are expected.
type ExpectInput struct {
	// Definition is the DAG, as the settings override it.
	Definition dag.Definition
	// Entries holds the ledger's entries of the dates.
	Entries []ledger.Entry
	// Since and Now bound the firings: after Since and up to Now.
	Since, Now time.Time
}

// Expect returns the dates of a DAG that should have run. Everything that looks for missing dates
// asks it.
//
// The Schedule in Temporal says when it fires. If it does not exist, the definition and the settings
// do, so that deleting it silences no alarm. Dates are expected since the StartDate; without one,
// since the Schedule was created, or since its first run that is known if that is earlier; and
// without a Schedule since the first date in the ledger. Dates for which the Schedule was paused are
// expected: a pause stops runs from starting, but their results are still due.
func (l Lookout) Expect(ctx context.Context, in ExpectInput) (Expected, error) {
	id := l.Deployment.ScheduleID(in.Definition.Name)
	description, err := l.Temporal.ScheduleClient().GetHandle(ctx, id).Describe(ctx)
	switch {
	case errors.As(err, new(*serviceerror.NotFound)):
		return l.expectWithout(ctx, in)
	case err != nil:
		return Expected{}, fmt.Errorf("describe Schedule %s: %w", id, err)
	}
	all, err := Firings(ctx, l.Temporal, l.Namespace, id, in.Since, in.Now)
	if err != nil {
		return Expected{}, err
	}
	expected := Expected{Schedule: description}
	if start := in.Definition.StartDate; start != "" {
		expected.start(start, FromStartDate, all)
		return expected, nil
	}
	// The first firing after the creation may be for the day before it.
	expected.start(dates.Of(description.Info.CreatedAt), FromSchedule, all)
	past := sinceCreation(all, description.Info)
	if len(past) > 0 && past[0].Date < expected.Since {
		expected.Since = past[0].Date
	}
	if first := firstScheduled(in.Entries); first != "" && first < expected.Since {
		expected.start(first, FromFirings, all)
		return expected, nil
	}
	expected.Firings = past
	return expected, nil
}

// expectWithout returns the dates of a DAG without a Schedule in Temporal.
func (l Lookout) expectWithout(ctx context.Context, in ExpectInput) (Expected, error) {
	spec := Spec{Cron: in.Definition.Schedule.Cron, TimeZone: in.Definition.Schedule.TimeZone}
	if spec.Cron == "" {
		return Expected{}, nil
	}
	expected := Expected{Gone: true}
	all, err := spec.Firings(in.Since, in.Now)
	if err != nil {
		return expected, err
	}
	if start := in.Definition.StartDate; start != "" {
		expected.start(start, FromStartDate, all)
		return expected, nil
	}
	first, err := l.Ledger.First(ctx, in.Definition.Name)
	if err == nil && first != "" {
		expected.start(first, FromLedger, all)
	}
	return expected, err
}

// start expects the dates of these firings from first on.
func (e *Expected) start(first dates.Date, origin Origin, all []Firing) {
	e.Since, e.Origin = first, origin
	e.Firings = slices.DeleteFunc(slices.Clone(all), func(f Firing) bool { return f.Date < first })
}

// firstScheduled returns the first date among the entries that a Schedule started.
func firstScheduled(entries []ledger.Entry) dates.Date {
	for _, entry := range entries {
		if entry.Trigger == run.Scheduled {
			return entry.Date
		}
	}
	return ""
}

// Dates returns the expected dates, in their order.
func (e Expected) Dates() []dates.Date {
	all := make([]dates.Date, len(e.Firings))
	for i, firing := range e.Firings {
		all[i] = firing.Date
	}
	return all
}

// After reports whether some dates from first on are not expected, so that a search of them finds no
// gap there.
func (e Expected) After(first dates.Date) bool { return e.Since == "" || e.Since > first }

// String says since when dates are expected, why, and how to change it.
func (e Expected) String() string {
	const set = "set PINFLOW_START_DATE for an earlier one"
	switch e.Origin {
	case FromStartDate:
		return fmt.Sprintf("dates are expected since %s (the start date)", e.Since)
	case FromSchedule:
		return fmt.Sprintf("dates are expected since %s (the Schedule's creation); %s", e.Since, set)
	case FromFirings:
		return fmt.Sprintf("dates are expected since %s (the first scheduled run); %s", e.Since, set)
	case FromLedger:
		return fmt.Sprintf("dates are expected since %s (the first run); %s", e.Since, set)
	}
	if e.Gone {
		return "no date is expected before the first run; set PINFLOW_START_DATE to expect some"
	}
	return "no date is expected without a schedule"
}

// Firings returns when the specification fires after from and up to to, at most MaxFirings times.
func (s Spec) Firings(from, to time.Time) ([]Firing, error) {
	tab, err := s.parse()
	if err != nil {
		return nil, err
	}
	fields := tab.fields
	fields.Location = tab.zone
	var all []Firing
	for at := fields.Next(from); !at.IsZero() && !at.After(to) && len(all) < MaxFirings; at = fields.Next(at) {
		all = append(all, Firing{At: at.UTC(), Date: LogicalDate(at)})
	}
	return all, nil
}
