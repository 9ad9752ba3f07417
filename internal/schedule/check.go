// Package schedule is when a DAG runs: its cron expression, the Temporal Schedule that is made from
// it, the logical date of each firing, and the dates that are overdue.
package schedule

import (
	"errors"
	"fmt"
	"time"

	"github.com/pinflow/pinflow/internal/dates"
)

// checkedYears is how far ahead firings are checked: far enough for a 29 February.
const checkedYears = 10

// Check returns all reasons why the specification would not run each date once, and what to do
// about them. It checks the firings of the next ten years.
//
// deadline is dag.Definition.Deadline, or zero: a Schedule that fires later would make each date
// overdue.
func (s Spec) Check(deadline time.Duration, now time.Time) error {
	tab, err := s.parse()
	if err != nil {
		return err
	}
	var errs []error
	reject := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("cron %q: "+format, append([]any{s.Cron}, args...)...))
	}
	if tab.fields.Dom&anyValue == 0 && tab.fields.Dow&anyValue == 0 {
		reject("it restricts both the day of the month and the day of the week: cron fires on days that are either, Temporal on days that are both; give one of them as *")
	}
	if _, _, once := tab.ofDay(); !once {
		reject("it fires more than once a day, but a logical date is one day and has one run; give one hour and one minute, for example %q", Default.Cron)
	} else if len(errs) == 0 {
		errs = append(errs, tab.checkFirings(s, deadline, now)...)
	}
	return errors.Join(errs...)
}

// checkFirings checks that the time of each firing exists once that day, and that each date has one
// firing.
func (c crontab) checkFirings(s Spec, deadline time.Duration, now time.Time) []error {
	var found firingFaults
	hour, minute, _ := c.ofDay()
	local := now.In(c.zone)
	end := local.AddDate(checkedYears, 0, 0)
	var last *dailyFiring
	for at := time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, time.UTC); at.Before(end); at = at.AddDate(0, 0, 1) {
		if !c.on(at.Date()) {
			continue
		}
		f := dailyFiring{day: at, moment: time.Date(at.Year(), at.Month(), at.Day(), hour, minute, 0, 0, c.zone)}
		f.date = LogicalDate(f.moment)
		found.check(f, last, deadline, hour, minute)
		last = &f
	}
	if last == nil {
		return []error{fmt.Errorf("cron %q: it does not fire within the next %d years: give days that exist", s.Cron, checkedYears)}
	}
	return found.errors(s, deadline, fmt.Sprintf("%02d:%02d", hour, minute))
}

// dailyFiring is the firing on one day of the zone's calendar. day is midnight UTC of that day.
type dailyFiring struct {
	day, moment time.Time
	date        dates.Date
}

// firingFaults holds the first faulty firing of each kind.
type firingFaults struct{ gap, overlap, twice, jump, late *dailyFiring }

// check records the faults of a firing; last is the firing before it.
func (found *firingFaults) check(f dailyFiring, last *dailyFiring, deadline time.Duration, hour, minute int) {
	first := func(into **dailyFiring, is bool) {
		if is && *into == nil {
			*into = &f
		}
	}
	gap := f.moment.Hour() != hour || f.moment.Minute() != minute
	overlap := !gap && comesTwice(f.moment)
	first(&found.gap, gap)
	first(&found.overlap, overlap)
	first(&found.late, deadline > 0 && !f.moment.Before(f.date.End().Add(deadline)))
	if last == nil || gap || overlap {
		return
	}
	days, logical := int(f.day.Sub(last.day)/dates.Interval), last.date.Days(f.date)-1
	first(&found.twice, logical < days)
	first(&found.jump, logical > days)
}

// comesTwice reports whether clocks are set back over this time, so that they show it twice.
func comesTwice(at time.Time) bool {
	_, offset := at.Zone()
	wall := at.Add(time.Duration(offset) * time.Second)
	start, end := at.ZoneBounds()
	if !start.IsZero() {
		_, before := start.Add(-time.Second).Zone()
		if wall.Add(-time.Duration(before) * time.Second).Before(start) {
			return true
		}
	}
	if !end.IsZero() {
		_, after := end.Zone()
		return !wall.Add(-time.Duration(after) * time.Second).Before(end)
	}
	return false
}

func (found *firingFaults) errors(s Spec, deadline time.Duration, clock string) []error {
	const out = "choose the time zone UTC, or another hour"
	var errs []error
	reject := func(f *dailyFiring, format string, args ...any) {
		if f != nil {
			errs = append(errs, fmt.Errorf("cron %q in %s: "+format, append([]any{s.Cron, s.zone()}, args...)...))
		}
	}
	day := func(f *dailyFiring) string {
		if f == nil {
			return ""
		}
		return f.day.Format(time.DateOnly)
	}
	reject(found.gap, "on %s clocks are set forward over %s, so that it would not fire and the date would have no run; %s", day(found.gap), clock, out)
	reject(found.overlap, "on %s clocks are set back over %s, so that it would fire twice; %s", day(found.overlap), clock, out)
	if found.twice != nil {
		reject(found.twice, "the firing of %s would run %s, as the one before: the change of the clocks moves it across midnight UTC, where logical dates end; %s", day(found.twice), found.twice.date, out)
	}
	if found.jump != nil {
		reject(found.jump, "the firing of %s would run %s, and %s would have no run: the change of the clocks moves it across midnight UTC, where logical dates end; %s",
			day(found.jump), found.jump.date, found.jump.date.Add(-1), out)
	}
	if found.late != nil {
		reject(found.late, "it fires at %s UTC, but the deadline of a date is %s after its end, so that each would be overdue before it runs; choose an earlier hour, or give the DAG a later Deadline",
			found.late.moment.UTC().Format("15:04"), deadline)
	}
	return errs
}
