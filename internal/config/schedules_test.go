package config

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/dag"
)

func TestSchedules(t *testing.T) {
	for text, want := range map[string]Schedules{
		"":                          {},
		" ; ":                       {},
		"daily=0 0 * * *":           {"daily": "0 0 * * *"},
		"a=30 2 * * *; b=0 3 * * 1": {"a": "30 2 * * *", "b": "0 3 * * 1"},
	} {
		t.Run("reads "+text, func(t *testing.T) {
			var got Schedules
			require.NoError(t, got.UnmarshalText([]byte(text)))
			require.Equal(t, want, got)
		})
	}
	for _, text := range []string{"0 0 * * *", "daily=", "=0 0 * * *", "a=0 0 * * *;a=0 1 * * *"} {
		t.Run("rejects "+text, func(t *testing.T) {
			require.Error(t, new(Schedules).UnmarshalText([]byte(text)))
		})
	}
}

func TestStartDates(t *testing.T) {
	for text, want := range map[string]StartDates{
		"":                                {},
		"2022-10-01":                      {"": "2022-10-01"},
		"daily=2022-10-01":                {"daily": "2022-10-01"},
		"a=2022-10-01 ; b = 2022-10-03; ": {"a": "2022-10-01", "b": "2022-10-03"},
		"2022-10-01; b=2022-10-03":        {"": "2022-10-01", "b": "2022-10-03"},
	} {
		t.Run("reads "+text, func(t *testing.T) {
			var got StartDates
			require.NoError(t, got.UnmarshalText([]byte(text)))
			require.Equal(t, want, got)
		})
	}
	for _, text := range []string{"yesterday", "daily=", "=2022-10-01", "2022-13-01", "a=2022-10-01;a=2022-10-02", "2022-10-01;2022-10-02"} {
		t.Run("rejects "+text, func(t *testing.T) {
			require.Error(t, new(StartDates).UnmarshalText([]byte(text)))
		})
	}
}

func TestDefinition(t *testing.T) {
	own := dag.Definition{Name: "daily", Schedule: dag.Schedule{Cron: "0 0 * * *", TimeZone: "UTC"}, StartDate: "2022-10-01"}
	require.Equal(t, own, Config{}.Definition(own), "nothing is overridden")
	c := Config{Schedules: Schedules{"daily": "0 5 * * *"}, ScheduleTimeZone: "Europe/London", StartDates: StartDates{"": "2022-10-02", "daily": "2022-10-03"}}
	require.Equal(t, dag.Definition{Name: "daily", Schedule: dag.Schedule{Cron: "0 5 * * *", TimeZone: "Europe/London"}, StartDate: "2022-10-03"}, c.Definition(own))
	require.EqualValues(t, "2022-10-02", c.Definition(dag.Definition{Name: "weekly"}).StartDate, "the date for all")
}
