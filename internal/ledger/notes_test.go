package ledger

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/bucket/buckettest"
)

func TestNotes(t *testing.T) {
	t.Run("are_listed_in_their_order_and_never_overwritten", func(t *testing.T) {
		notes := &Notes{Objects: buckettest.New()}
		at := time.Date(2022, 10, 19, 9, 0, 0, 0, time.UTC)
		for _, note := range []Note{
			{DAG: dag, Date: day, At: at.Add(time.Nanosecond), By: "bob", Text: "second"},
			{DAG: dag, Date: day, At: at, By: "ann", Text: "first"},
			{DAG: dag, Date: day.Add(1), At: at, By: "ann", Text: "of another date"},
		} {
			require.NoError(t, notes.Add(t.Context(), note))
		}
		found, err := notes.Of(t.Context(), dag, day)
		require.NoError(t, err)
		require.Len(t, found, 2)
		require.Equal(t, []string{"first", "second"}, []string{found[0].Text, found[1].Text})
		same := Note{DAG: dag, Date: day, At: at, By: "ann", Text: "at the same moment"}
		require.NoError(t, notes.Add(t.Context(), same))
		found, err = notes.Of(t.Context(), dag, day)
		require.NoError(t, err)
		require.Len(t, found, 3)
	})

	t.Run("need_a_text_and_a_date", func(t *testing.T) {
		notes := &Notes{Objects: buckettest.New()}
		require.ErrorContains(t, notes.Add(t.Context(), Note{Date: day, Text: " "}), "needs a text")
		require.ErrorContains(t, notes.Add(t.Context(), Note{Date: "today", Text: "x"}), "is not a date")
	})
}
