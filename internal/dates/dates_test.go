package dates

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParse(t *testing.T) {
	t.Run("accepts_only_real_dates", func(t *testing.T) {
		date, err := Parse("2024-02-29")
		require.NoError(t, err)
		require.Equal(t, Date("2024-02-29"), date)
		for _, text := range []string{"", "2023-02-29", "2023-2-1", "20230201", "2023-02-01T00:00:00Z", "yesterday", " 2023-02-01"} {
			_, err := Parse(text)
			require.ErrorContains(t, err, "YYYY-MM-DD", text)
		}
	})
}

func TestDate(t *testing.T) {
	t.Run("is_a_day_in_utc", func(t *testing.T) {
		east := time.FixedZone("east", 9*3600)
		require.Equal(t, Date("2022-12-31"), Of(time.Date(2023, 1, 1, 8, 59, 59, 0, east)))
		d := Date("2022-12-31")
		require.Equal(t, time.Date(2022, 12, 31, 0, 0, 0, 0, time.UTC), d.Start())
		require.Equal(t, Date("2023-01-01").Start(), d.End())
		require.Equal(t, Date("2022-03-01"), Date("2022-02-28").Add(1))
		require.Equal(t, Date("2022-02-28"), Date("2022-03-01").Add(-1))
	})

	t.Run("is_over_from_its_end_on", func(t *testing.T) {
		d := Date("2022-10-18")
		require.False(t, d.Over(d.End().Add(-time.Nanosecond)))
		require.True(t, d.Over(d.End()))
	})
}

func TestDays(t *testing.T) {
	t.Run("counts_both_ends", func(t *testing.T) {
		require.Equal(t, 1, Date("2022-10-18").Days("2022-10-18"))
		require.Equal(t, 366, Date("2024-01-01").Days("2024-12-31"))
		require.Zero(t, Date("2022-10-18").Days("2022-10-17"))
	})
}
