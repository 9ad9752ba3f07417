package run

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/dates"
)

func TestCheckDate(t *testing.T) {
	t.Run("rejects_the_future", func(t *testing.T) {
		now := time.Date(2022, 10, 20, 12, 0, 0, 0, time.UTC)
		for date, want := range map[dates.Date]string{
			"2022-10-18": "",
			"2022-10-20": "", // it runs up to now
			"2022-10-21": "from: 2022-10-21 is in the future and has no data yet; it can run from 2022-10-21 00:00:00 UTC",
			"yesterday":  `from: "yesterday" is not a date`,
			"":           `from: "" is not a date`,
		} {
			err := CheckDate("from", date, now)
			if want == "" {
				require.NoError(t, err, date)
				continue
			}
			require.ErrorContains(t, err, want)
		}
	})
}

func TestCheckParallel(t *testing.T) {
	t.Run("has_limits", func(t *testing.T) {
		require.NoError(t, CheckParallel(1))
		require.NoError(t, CheckParallel(MaxParallel))
		require.EqualError(t, CheckParallel(0), "parallel 0: want 1 to 500")
		require.EqualError(t, CheckParallel(MaxParallel+1), "parallel 501: want 1 to 500")
	})
}
