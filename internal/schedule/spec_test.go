package schedule

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/robfig/cron/v3"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"pgregory.net/rapid"
)

func TestOptions(t *testing.T) {
	t.Run("fires_at_midnight_utc_without_jitter", func(t *testing.T) {
		s, err := Options(someDeployment, dagName, Default)
		require.NoError(t, err)
		require.Equal(t, "some.daily", s.ID)
		require.Equal(t, "UTC", s.Spec.TimeZoneName)
		require.Len(t, s.Spec.Calendars, 1)
		require.Zero(t, s.Spec.Jitter)
		require.Less(t, s.CatchupWindow, 24*time.Hour)
		require.Equal(t, enumspb.SCHEDULE_OVERLAP_POLICY_ALLOW_ALL, s.Overlap)
		action, ok := s.Action.(*client.ScheduleWorkflowAction)
		require.True(t, ok)
		require.Equal(t, []any{"some.daily.scheduled", "some"}, []any{action.ID, action.TaskQueue})
	})

	t.Run("has_the_cron_expression_as_a_calendar", func(t *testing.T) {
		every := func(first, last int) []client.ScheduleRange {
			return []client.ScheduleRange{{Start: first, End: last, Step: 1}}
		}
		at := func(values ...int) (all []client.ScheduleRange) {
			for _, v := range values {
				all = append(all, client.ScheduleRange{Start: v, End: v, Step: 1})
			}
			return all
		}
		for cron, want := range map[string]client.ScheduleCalendarSpec{
			"0 0 * * *":             {Minute: at(0), Hour: at(0), DayOfMonth: every(1, 31), Month: every(1, 12), DayOfWeek: every(0, 6)},
			"30 2 * * mon-fri":      {Minute: at(30), Hour: at(2), DayOfMonth: every(1, 31), Month: every(1, 12), DayOfWeek: every(1, 5)},
			"59 23 1,15 */3 ?":      {Minute: at(59), Hour: at(23), DayOfMonth: at(1, 15), Month: []client.ScheduleRange{{Start: 1, End: 10, Step: 3}}, DayOfWeek: every(0, 6)},
			"0 4 1-3,10 jan,dec *":  {Minute: at(0), Hour: at(4), DayOfMonth: append(every(1, 3), at(10)...), Month: at(1, 12), DayOfWeek: every(0, 6)},
			"0 4 * * SUN,WED":       {Minute: at(0), Hour: at(4), DayOfMonth: every(1, 31), Month: every(1, 12), DayOfWeek: at(0, 3)},
			"  5   1 31 1-12 0-6  ": {Minute: at(5), Hour: at(1), DayOfMonth: at(31), Month: every(1, 12), DayOfWeek: every(0, 6)},
		} {
			t.Run(cron, func(t *testing.T) {
				s, err := Options(someDeployment, dagName, Spec{Cron: cron})
				require.NoError(t, err)
				want.Second = []client.ScheduleRange{{Start: 0}}
				want.Comment = s.Spec.Calendars[0].Comment
				require.Equal(t, []client.ScheduleCalendarSpec{want}, s.Spec.Calendars)
				require.Equal(t, "UTC", s.Spec.TimeZoneName)
			})
		}
	})
}

func TestCheck(t *testing.T) {
	t.Run("rejects_what_temporal_does_otherwise_than_cron", func(t *testing.T) {
		now := time.Date(2026, 11, 21, 5, 0, 0, 0, time.UTC)
		for name, row := range map[string]struct {
			cron, zone string
			due        time.Duration
			want       []string // none: it is good
		}{
			"midnight UTC":             {"0 0 * * *", "UTC", 6 * time.Hour, nil},
			"no zone is UTC":           {"0 0 * * *", "", 0, nil},
			"02:00 UTC":                {"0 2 * * *", "UTC", 6 * time.Hour, nil},
			"weekdays":                 {"0 2 * * 1-5", "UTC", 0, nil},
			"29 February":              {"0 0 29 2 *", "UTC", 0, nil},
			"a zone without summer":    {"0 9 * * *", "Asia/Tokyo", 6 * time.Hour, nil},
			"half past in Nepal":       {"45 5 * * *", "Asia/Kathmandu", 0, nil},
			"summer time, other hour":  {"0 6 * * *", "Europe/Berlin", 6 * time.Hour, nil},
			"summer time, other month": {"30 2 * 6-8 *", "Europe/Berlin", 6 * time.Hour, nil},

			"both days":          {"0 0 1 * 1", "UTC", 0, []string{"both the day of the month and the day of the week", "either", "give one of them as *"}},
			"both, every second": {"0 0 */2 * 1", "UTC", 0, []string{"both the day of the month and the day of the week"}},
			"a gap and an overlap": {"30 2 * * *", "Europe/Berlin", 0, []string{
				"on 2027-03-28 clocks are set forward over 02:30", "no run", "on 2027-10-31 clocks are set back over 02:30", "twice", "UTC, or another hour"}},
			"a gap at midnight":    {"0 0 * * *", "Africa/Cairo", 0, []string{"on 2027-04-30 clocks are set forward over 00:00"}},
			"an overlap of 30 min": {"45 1 * * *", "Australia/Lord_Howe", 0, []string{"on 2027-04-04 clocks are set back over 01:45"}},
			"moves over midnight":  {"30 19 * * *", "America/New_York", 0, []string{"the firing of 2027-03-14 would run 2027-03-13, as the one before", "the firing of 2027-11-07 would run 2027-11-07, and 2027-11-06 would have no run", "midnight UTC"}},
			"many a day":           {"0 */6 * * *", "UTC", 0, []string{"more than once a day", "one run"}},
			"two minutes":          {"0,30 2 * * *", "UTC", 0, []string{"more than once a day"}},
			"all at once":          {"* 2 1 * 1", "Europe/Berlin", 0, []string{"both the day of the month", "more than once a day"}},
			"never":                {"0 0 31 2 *", "UTC", 0, []string{"does not fire within the next 10 years"}},
			"after the deadline":   {"0 8 * * *", "UTC", 6 * time.Hour, []string{"it fires at 08:00 UTC", "deadline of a date is 6h0m0s after its end", "earlier hour"}},
			"late in winter only":  {"30 7 * * *", "Europe/Berlin", 6 * time.Hour, []string{"it fires at 06:30 UTC"}},
			"seconds":              {"0 0 0 * * *", "UTC", 0, []string{"6 fields", "leave out seconds"}},
			"too few":              {"0 0 * *", "UTC", 0, []string{"4 fields"}},
			"nothing":              {"", "UTC", 0, []string{"0 fields", "0 0 * * *"}},
			"@daily":               {"@daily", "UTC", 0, []string{"@daily is not supported", `"0 0 * * *"`}},
			"@every":               {"@every 24h", "UTC", 0, []string{"@every is not supported"}},
			"last day":             {"0 0 L * *", "UTC", 0, []string{"L and W"}},
			"nearest weekday":      {"0 0 15W * *", "UTC", 0, []string{"L and W"}},
			"last Friday":          {"0 0 * * 5L", "UTC", 0, []string{"# and L"}},
			"second Monday":        {"0 0 * * 1#2", "UTC", 0, []string{"# and L"}},
			"zone in cron":         {"TZ=Asia/Tokyo 0 0 * * *", "UTC", 0, []string{"PINFLOW_SCHEDULE_TIMEZONE"}},
			"Sunday as 7":          {"0 0 * * 7", "UTC", 0, []string{"0 is Sunday"}},
			"no such hour":         {"0 24 * * *", "UTC", 0, []string{"above maximum (23)", "the fields are minute, hour"}},
			"no such zone":         {"0 0 * * *", "Europe/Atlantis", 0, []string{`time zone "Europe/Atlantis" is unknown`, "IANA"}},
			"the machine's zone":   {"0 0 * * *", "Local", 0, []string{`time zone "Local" is unknown`}},
			"cron and zone":        {"@daily", "Europe/Atlantis", 0, []string{"@daily is not supported", "Europe/Atlantis"}},
		} {
			t.Run(name, func(t *testing.T) {
				err := Spec{Cron: row.cron, TimeZone: row.zone}.Check(row.due, now)
				if row.want == nil {
					require.NoError(t, err)
					return
				}
				require.Error(t, err)
				for _, want := range row.want {
					require.ErrorContains(t, err, want)
				}
			})
		}
	})
}

func TestLogicalDateSpec(t *testing.T) {
	// Whatever the hour and the zone, a firing runs the last date that is over, so that its run is
	// not partial.
	t.Run("is_the_last_date_that_is_over", func(t *testing.T) {
		for firing, want := range map[string]string{
			"2022-10-19T00:00:00Z":      "2022-10-18",
			"2022-10-19T02:00:00Z":      "2022-10-18",
			"2022-10-19T23:59:59Z":      "2022-10-18",
			"2022-10-19T00:00:00+09:00": "2022-10-17", // Tokyo's midnight is 15:00 UTC of the day before
			"2022-10-19T09:00:00+09:00": "2022-10-18",
			"2022-10-19T19:30:00-05:00": "2022-10-19",
			"2022-10-19T19:30:00-04:00": "2022-10-18",
			"2024-03-01T00:00:00Z":      "2024-02-29",
			"2022-10-30T03:00:00+01:00": "2022-10-29", // the day has 25 hours in Berlin, 24 in UTC
		} {
			fired, err := time.Parse(time.RFC3339, firing)
			require.NoError(t, err)
			date := LogicalDate(fired)
			require.EqualValues(t, want, date, firing)
			require.True(t, date.Over(fired))
			require.False(t, date.Add(1).Over(fired))
		}
	})
}

func TestSpec(t *testing.T) {
	t.Run("daily_reports_whether_each_date_has_a_run", func(t *testing.T) {
		for cron, want := range map[string]bool{
			"0 0 * * *": true, "30 2 1-31 1-12 0-6": true, "0 0 * * 1-5": false, "0 0 */2 * *": false, "0 0 * 1 *": false, "@daily": false,
		} {
			require.Equal(t, want, Spec{Cron: cron}.Daily(), cron)
		}
	})

	// For every expression that Check accepts, Temporal's calendar fires on the days on which cron
	// would.
	t.Run("fires_on_the_days_of_cron", func(t *testing.T) {
		values := func(t *rapid.T, name string, first, last int) string {
			var texts []string
			for _, v := range rapid.SliceOfNDistinct(rapid.IntRange(first, last), 1, 6, rapid.ID).Draw(t, name) {
				texts = append(texts, strconv.Itoa(v))
			}
			return strings.Join(texts, ",")
		}
		rapid.Check(t, func(t *rapid.T) {
			days, weekdays, months := "*", "*", "*"
			switch rapid.IntRange(0, 2).Draw(t, "which") {
			case 0:
				days = values(t, "days", 1, 31)
			case 1:
				weekdays = values(t, "weekdays", 0, 6)
			}
			if rapid.Bool().Draw(t, "some months") {
				months = values(t, "months", 1, 12)
			}
			spec := Spec{Cron: fmt.Sprintf("%d %d %s %s %s", rapid.IntRange(0, 59).Draw(t, "minute"), rapid.IntRange(0, 23).Draw(t, "hour"), days, months, weekdays)}
			at := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
			if spec.Check(0, at) != nil {
				return // it never fires
			}
			want, err := cron.ParseStandard(spec.Cron)
			require.NoError(t, err)
			made, err := Options(someDeployment, dagName, spec)
			require.NoError(t, err)
			calendar := made.Spec.Calendars[0]
			for range 800 {
				at = at.AddDate(0, 0, 1)
				on := includes(calendar.DayOfMonth, at.Day()) && includes(calendar.Month, int(at.Month())) && includes(calendar.DayOfWeek, int(at.Weekday()))
				fires := want.Next(at.Add(-time.Second))
				require.Equal(t, fires.Before(at.AddDate(0, 0, 1)), on, "%s on %s", spec.Cron, at)
				if on {
					require.True(t, includes(calendar.Hour, fires.Hour()) && includes(calendar.Minute, fires.Minute()))
				}
			}
		})
	})
}

// includes reports whether Temporal's ranges include a value.
func includes(ranges []client.ScheduleRange, value int) bool {
	for _, r := range ranges {
		if value >= r.Start && value <= max(r.Start, r.End) && (value-r.Start)%max(1, r.Step) == 0 {
			return true
		}
	}
	return false
}
