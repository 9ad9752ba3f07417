package landing

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/dates"
)

func TestPreview(t *testing.T) {
	preview := func(l *landings, date dates.Date) (Preview, error) {
		return PreviewLanding(t.Context(), l.broker, l.bucket, PreviewInput{Topic: topic, Date: date, Now: l.now})
	}

	t.Run("changes_nothing_and_says_what_the_plan_says", func(t *testing.T) {
		l := newLandings(2, at(day, 12))
		l.ObjectRecords = 2
		l.produceMany(day, 1, 0, "a", 5)
		l.land(t, day)
		l.produceMany(day, 13, 0, "b", 4)
		l.produceMany(day, 13, 1, "c", 3)
		l.broker.expire(topic, 1, 2)
		l.now = at(day, 25)
		before := l.bucket.Keys("")
		got, err := preview(l, day)
		require.NoError(t, err)
		require.Equal(t, before, l.bucket.Keys(""))
		require.Equal(t, Preview{
			Topic: topic, Date: day, Until: day.End(), Left: 5, Lost: 2,
			Partitions: []PreviewPartition{
				{Range: Range{Start: 5, End: 9}, Objects: 3, Records: 5},
				{Range: Range{Partition: 1, End: 3, Lost: []Lost{{End: 2, Cause: Expired}}}},
			},
		}, got)
		plan, err := l.plan(day)
		require.NoError(t, err)
		for i, r := range plan.Ranges {
			require.Equal(t, r, got.Partitions[i].Range)
		}

		l.WarnOfGaps = true
		l.land(t, day)
		got, err = preview(l, day)
		require.NoError(t, err)
		require.Equal(t, []Lost{{End: 2, Cause: Expired}}, got.Partitions[1].Gone)
		require.EqualValues(t, []int64{0, 2, 9}, []int64{got.Left, got.Lost, got.Partitions[0].Records})
	})

	t.Run("says_why_a_date_would_be_refused", func(t *testing.T) {
		l := newLandings(1, at(day, 25))
		l.produceMany(day, 1, 0, "old", 5)
		l.land(t, day)
		l.broker.replace(topic, 1)
		l.produceMany(day.Add(1), 1, 0, "new", 9)
		l.now = at(day, 49)
		got, err := preview(l, day.Add(1))
		require.Error(t, err)
		require.Contains(t, got.Refused, "partition 0 has at offset 4 another record")
		require.Len(t, l.bucket.Keys("boundaries/"), 2)
	})

	t.Run("says_what_retention_had_deleted_before_the_first_plan", func(t *testing.T) {
		l := newLandings(1, at(day, 25))
		l.produceMany(day, 1, 0, "a", 9)
		l.broker.expire(topic, 0, 4)
		got, err := preview(l, day)
		require.NoError(t, err)
		require.Equal(t, []int{0}, got.Unplanned)
		require.EqualValues(t, 5, got.Left)
	})
}
