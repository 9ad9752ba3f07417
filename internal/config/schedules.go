package config

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/dates"
)

// Schedules holds cron expressions by the names of DAGs.
type Schedules map[string]string

// StartDates holds dates by the names of DAGs. The date with an empty name is that of all others.
type StartDates map[string]dates.Date

// UnmarshalText reads "date" or "name=date; name=date". A name may come once.
func (s *StartDates) UnmarshalText(text []byte) error {
	all := StartDates{}
	for part := range strings.SplitSeq(string(text), ";") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		name, value, named := strings.Cut(part, "=")
		if !named {
			name, value = "", part
		}
		name = strings.TrimSpace(name)
		date, err := dates.Parse(strings.TrimSpace(value))
		_, again := all[name]
		switch {
		case named && name == "":
			return fmt.Errorf("%q: want <date>, or <dag>=<date>, several separated by \";\"", part)
		case err != nil:
			return err
		case again && name == "":
			return errors.New("there are two dates for all DAGs: name the DAG, as in <dag>=<date>")
		case again:
			return fmt.Errorf("DAG %s has two start dates", name)
		}
		all[name] = date
	}
	*s = all
	return nil
}

// Definition returns the DAG with the schedule, the time zone and the start date of the settings,
// where these override its own.
func (c Config) Definition(d dag.Definition) dag.Definition {
	d.Schedule.Cron = cmp.Or(c.Schedules[d.Name], d.Schedule.Cron)
	d.Schedule.TimeZone = cmp.Or(c.ScheduleTimeZone, d.Schedule.TimeZone)
	d.StartDate = cmp.Or(c.StartDates[d.Name], c.StartDates[""], d.StartDate)
	return d
}

// UnmarshalText reads "name=cron; name=cron". Each part needs both, and a name may come once.
func (s *Schedules) UnmarshalText(text []byte) error {
	all := Schedules{}
	for part := range strings.SplitSeq(string(text), ";") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		name, cron, _ := strings.Cut(part, "=")
		name, cron = strings.TrimSpace(name), strings.TrimSpace(cron)
		_, again := all[name]
		switch {
		case name == "" || cron == "":
			return fmt.Errorf("%q: want <dag>=<cron>, several separated by \";\"", strings.TrimSpace(part))
		case again:
			return fmt.Errorf("DAG %s has two schedules", name)
		}
		all[name] = cron
	}
	*s = all
	return nil
}
