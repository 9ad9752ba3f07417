package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/dates"
)

// The views of a date whose tasks had a Databricks run in common with other dates.
func TestTogether(t *testing.T) {
	together := func(t *testing.T) *world {
		w := newWorld()
		entry := repaired()
		var days []dates.Date
		for day := range 24 {
			days = append(days, dates.Date(fmt.Sprintf("2022-10-%02d", day+1)))
		}
		entry.Tasks[0].Together, entry.Tasks[1].Together, entry.Tasks[2].Together = days, days, days[10:20]
		w.record(t, entry)
		return w
	}
	for _, command := range []string{"status", "gantt"} {
		t.Run(command, func(t *testing.T) {
			_, stdout, _ := together(t).starter(t, command, "2022-10-18") // status exits with 1 for a failed run
			require.Contains(t, stdout, "load, clean_pin: one Databricks run for 24 dates, 2022-10-01 to 2022-10-24\n")
			require.Contains(t, stdout, "clean_geo: one Databricks run for 10 dates, 2022-10-11 to 2022-10-20\n")
		})
	}

	t.Run("logs say where the lines are", func(t *testing.T) {
		code, stdout, stderr := together(t).view(t, "logs 2022-10-18 clean_geo")
		require.Zero(t, code, stderr)
		require.Contains(t, strings.Join(strings.Fields(stdout), " "), "`starter logs 2022-10-11 clean_geo`")
		require.NotContains(t, stdout, "2022-10-01")
	})
}
