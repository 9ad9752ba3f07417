package schedule

import (
	"errors"
	"fmt"
	"math/bits"
	"regexp"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
	"go.temporal.io/sdk/client"
)

// Spec is when a DAG's Schedule fires.
type Spec struct {
	// Cron is five fields: minute, hour, day of the month, month, day of the week (0 is Sunday).
	Cron string
	// TimeZone is the IANA name of the time zone of Cron; UTC if empty.
	TimeZone string
}

// Default fires each day at 00:00 UTC, when the logical date is over.
var Default = Spec{Cron: "0 0 * * *", TimeZone: "UTC"}

func (s Spec) String() string { return s.Cron + " (" + s.zone() + ")" }

// Daily reports whether the Schedule fires every day, so that each date has a run.
func (s Spec) Daily() bool {
	tab, err := s.parse()
	if err != nil {
		return false
	}
	c := tab.calendar()
	whole := func(all []client.ScheduleRange, first, last int) bool {
		return len(all) == 1 && all[0] == client.ScheduleRange{Start: first, End: last, Step: 1}
	}
	return whole(c.DayOfMonth, 1, 31) && whole(c.Month, 1, 12) && whole(c.DayOfWeek, 0, 6)
}

func (s Spec) zone() string {
	if s.TimeZone == "" {
		return "UTC"
	}
	return s.TimeZone
}

// crontab is a parsed cron expression and its time zone.
type crontab struct {
	fields cron.SpecSchedule // a bit for each value of each field
	zone   *time.Location
}

// anyValue is the bit that the cron parser sets in a field that is * or ?.
const anyValue = 1 << 63

// parse parses the expression and its time zone. The error has all mistakes.
func (s Spec) parse() (crontab, error) {
	zone, zoneErr := s.location()
	if err := errors.Join(s.dialect(), zoneErr); err != nil {
		return crontab{}, err
	}
	parsed, err := cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow).Parse(s.Cron)
	if err != nil {
		return crontab{}, fmt.Errorf("cron %q: %w; the fields are minute, hour, day of the month (1-31), month (1-12), day of the week (0-6, 0 is Sunday)", s.Cron, err)
	}
	fields, ok := parsed.(*cron.SpecSchedule)
	if !ok {
		return crontab{}, fmt.Errorf("cron %q: write it as five fields, for example %q", s.Cron, Default.Cron)
	}
	return crontab{*fields, zone}, nil
}

// location returns the time zone. It rejects Local, which can be another zone on Temporal's
// machines.
func (s Spec) location() (*time.Location, error) {
	zone, err := time.LoadLocation(s.zone())
	if err != nil || s.zone() == "Local" {
		return nil, fmt.Errorf("time zone %q is unknown: use an IANA name, for example UTC or Europe/London", s.TimeZone)
	}
	return zone, nil
}

// lastDay matches a day of the week with an L, as in 5L. No name of a day ends in L.
var lastDay = regexp.MustCompile(`(?i)(^|[\d,-])L\b`)

// dialect rejects extensions of cron that Temporal does not support or understands differently.
func (s Spec) dialect() error {
	fields := strings.Fields(s.Cron)
	reject := func(format string, args ...any) error {
		return fmt.Errorf("cron %q: "+format, append([]any{s.Cron}, args...)...)
	}
	switch {
	case len(fields) > 0 && strings.HasPrefix(fields[0], "@"):
		return reject("%s is not supported: write the five fields, for example %q for @daily", fields[0], Default.Cron)
	case strings.Contains(s.Cron, "TZ="):
		return reject("the time zone is a separate setting: PINFLOW_SCHEDULE_TIMEZONE or --timezone")
	case len(fields) == 6 || len(fields) == 7:
		return reject("it has %d fields: leave out seconds and years; a daily run has minute, hour, day of the month, month, day of the week", len(fields))
	case len(fields) != 5:
		return reject("it has %d fields: want minute, hour, day of the month, month, day of the week, for example %q", len(fields), Default.Cron)
	case strings.ContainsAny(strings.ToUpper(fields[2]), "LW"):
		return reject("Temporal does not support L and W (last day, nearest weekday): run each day, or on a day that each month has")
	case strings.Contains(s.Cron, "#") || lastDay.MatchString(fields[4]):
		return reject("Temporal does not support # and L (the n-th weekday of a month): run each week or each day")
	}
	return nil
}

// calendar returns the expression in Temporal's form. If Check has accepted it, it fires at the
// same times.
func (c crontab) calendar() client.ScheduleCalendarSpec {
	return client.ScheduleCalendarSpec{
		Second:     []client.ScheduleRange{{Start: 0}},
		Minute:     valueRanges(c.fields.Minute, 0, 59),
		Hour:       valueRanges(c.fields.Hour, 0, 23),
		DayOfMonth: valueRanges(c.fields.Dom, 1, 31),
		Month:      valueRanges(c.fields.Month, 1, 12),
		DayOfWeek:  valueRanges(c.fields.Dow, 0, 6),
	}
}

// valueRanges returns the values of a field as ranges: one range with a step if the distances are
// equal, otherwise one range for each sequence of neighbours.
func valueRanges(set uint64, first, last int) []client.ScheduleRange {
	var values []int
	for v := first; v <= last; v++ {
		if set&(1<<v) != 0 {
			values = append(values, v)
		}
	}
	if step, ok := evenStep(values); ok {
		return []client.ScheduleRange{{Start: values[0], End: values[len(values)-1], Step: step}}
	}
	var all []client.ScheduleRange
	for i, v := range values {
		if i > 0 && v == values[i-1]+1 {
			all[len(all)-1].End = v
			continue
		}
		all = append(all, client.ScheduleRange{Start: v, End: v, Step: 1})
	}
	return all
}

// evenStep returns the distance between neighbours; ok is false if it varies.
func evenStep(values []int) (step int, ok bool) {
	if len(values) < 3 {
		return 1, len(values) == 1
	}
	step = values[1] - values[0]
	for i := 2; i < len(values); i++ {
		if values[i]-values[i-1] != step {
			return 0, false
		}
	}
	return step, true
}

// ofDay returns the time of the day; ok is false if there are several.
func (c crontab) ofDay() (hour, minute int, ok bool) {
	return bits.TrailingZeros64(c.fields.Hour), bits.TrailingZeros64(c.fields.Minute), bits.OnesCount64(c.fields.Hour&^anyValue)*bits.OnesCount64(c.fields.Minute&^anyValue) == 1
}

// on reports whether it fires on that day.
func (c crontab) on(year int, month time.Month, day int) bool {
	weekday := time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Weekday()
	return c.fields.Month&(1<<month) != 0 && c.fields.Dom&(1<<day) != 0 && c.fields.Dow&(1<<weekday) != 0
}
