package schedule

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/dates"
)

func TestLogicalDate(t *testing.T) {
	t.Run("is_one_interval_before_the_firing", func(t *testing.T) {
		for fired, want := range map[string]dates.Date{
			"2022-10-19T00:00:00Z":      "2022-10-18",
			"2022-10-18T23:59:59Z":      "2022-10-17",
			"2022-10-19T01:00:00+02:00": "2022-10-17",
			"2024-03-01T00:00:00Z":      "2024-02-29",
		} {
			at, err := time.Parse(time.RFC3339, fired)
			require.NoError(t, err)
			require.Equal(t, want, LogicalDate(at), fired)
		}
	})
}
