package config

import (
	"fmt"
	"strings"
)

// Schedules holds cron expressions by the names of DAGs.
type Schedules map[string]string

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
