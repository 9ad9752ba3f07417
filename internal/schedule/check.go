package schedule

import (
	"errors"
	"fmt"
	"time"

	"github.com/pinflow/pinflow/internal/dates"
)

// checkedYears is how far ahead a Schedule's firings are checked: far enough that 29 February comes at least once.
const checkedYears = 10

// Check refuses a specification under which dates would not be run once each, with the reason and the way out, all that is wrong at once.
// Firings are checked for the ten years after now.
//
// due is how long after its end a date must have been run, zero if there is no such time: a Schedule that fires later would make each date
// overdue.
func (s Spec) Check(due time.Duration, now time.Time) error {
	tab, err := s.parse()
	if err != nil {
		return err
	}
	var errs []error
	refuse := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("cron %q: "+format, append([]any{s.Cron}, args...)...))
	}
	if tab.fields.Dom&anyValue == 0 && tab.fields.Dow&anyValue == 0 {
		refuse("it restricts both the day of the month and the day of the week: cron fires on days that are either, Temporal on days that are both; give one of them as *")
	}
	if _, _, once := tab.ofDay(); !once {
		refuse("it fires more than once a day, and a logical date is one day and has one run; give one hour and one minute, for example %q", Default.Cron)
	} else if len(errs) == 0 {
		errs = append(errs, tab.checkFirings(s, due, now)...)
	}
	return errors.Join(errs...)
}

// checkFirings looks at each firing of the next years: that its time is there once, and that each date comes once.
func (c crontab) checkFirings(s Spec, due time.Duration, now time.Time) []error {
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
		found.look(f, last, due, hour, minute)
		last = &f
	}
	if last == nil {
		return []error{fmt.Errorf("cron %q: it does not fire within the next %d years: give days that there are", s.Cron, checkedYears)}
	}
	return found.errors(s, due, fmt.Sprintf("%02d:%02d", hour, minute))
}

// dailyFiring is the firing of one day of the zone's calendar. The day is kept as its midnight in UTC.
type dailyFiring struct {
	day, moment time.Time
	date        dates.Date
}

// firingFaults are the first firing of each kind that goes wrong.
type firingFaults struct{ gap, overlap, twice, jump, late *dailyFiring }

func (found *firingFaults) look(f dailyFiring, last *dailyFiring, due time.Duration, hour, minute int) {
	first := func(into **dailyFiring, is bool) {
		if is && *into == nil {
			*into = &f
		}
	}
	gap := f.moment.Hour() != hour || f.moment.Minute() != minute
	overlap := !gap && comesTwice(f.moment)
	first(&found.gap, gap)
	first(&found.overlap, overlap)
	first(&found.late, due > 0 && !f.moment.Before(f.date.End().Add(due)))
	if last == nil || gap || overlap {
		return
	}
	days, logical := int(f.day.Sub(last.day)/dates.Interval), last.date.Days(f.date)-1
	first(&found.twice, logical < days)
	first(&found.jump, logical > days)
}

// comesTwice says that clocks are set back over this time: the zone's clocks show it once before and once after.
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

func (found *firingFaults) errors(s Spec, due time.Duration, clock string) []error {
	const out = "take the time zone UTC, or another hour"
	var errs []error
	refuse := func(f *dailyFiring, format string, args ...any) {
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
	refuse(found.gap, "on %s clocks are set forward over %s, so that it would not fire and the date would have no run; %s", day(found.gap), clock, out)
	refuse(found.overlap, "on %s clocks are set back over %s, so that it would fire twice; %s", day(found.overlap), clock, out)
	if found.twice != nil {
		refuse(found.twice, "the firing of %s would be for %s, as the one before: with the change of the clocks it moves over midnight UTC, where logical dates end; %s", day(found.twice), found.twice.date, out)
	}
	if found.jump != nil {
		refuse(found.jump, "the firing of %s would be for %s, and %s would have no run: with the change of the clocks it moves over midnight UTC, where logical dates end; %s",
			day(found.jump), found.jump.date, found.jump.date.Add(-1), out)
	}
	if found.late != nil {
		refuse(found.late, "it fires at %s UTC, but a date is due %s after its end, so that each would be overdue before it runs; take an earlier hour, or give the DAG a later Due",
			found.late.moment.UTC().Format("15:04"), due)
	}
	return errs
}
