package run

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/pinflow/pinflow/internal/dates"
)

// limitOfPayload is what Temporal refuses: the default of limit.blobSize.error.
const limitOfPayload = 2 << 20

// waiting returns the requests of runs whose tasks all wait, with long names and parameters. Ids are
// as random as Temporal's.
func waiting(runs, tasks int) Packed[Request] {
	var all Packed[Request]
	random := uint64(1)
	for i := range runs {
		date := dates.Date("2020-01-01").Add(i)
		random = random*6364136223846793005 + 1442695040888963407
		second := random*6364136223846793005 + 1
		runID := fmt.Sprintf("019a1ff4-%04x-7%03x-%04x-%012x", random>>48, random>>36&0xfff, second>>48, second&0xffffffffffff)
		for j := range tasks {
			task := fmt.Sprintf("aggregate_of_all_the_posts_%03d", j)
			all = append(all, Request{
				WorkflowID: "pinflow-production.pinterest-daily." + string(date), RunID: runID, DAG: "pinterest-daily", Date: date, Task: task, Try: 1,
				ActivityID: task + "-try-1", Pool: "pool_of_" + task, Slots: 1, Priority: 5, Requested: date.Start(),
				Operator: json.RawMessage(fmt.Sprintf(`{"notebook":{"name":%q,"cleans":"pin","rebuilds":["gold_%s"]}}`, task, task)),
				Params:   map[string]string{"min_followers": "100", "source_of_records": "events", "rules": "strict,no_empty_titles"},
				Prepared: Outcome{URI: fmt.Sprintf("s3://bucket/topics/pin/dt=%s/manifest.json", date), Rows: int64(i*7919 + j), Counted: true, Until: date.End()},
			})
		}
	}
	return all
}

func TestPacked(t *testing.T) {
	t.Run("keeps_its_values", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			want := Packed[string](rapid.SliceOfN(rapid.String(), 0, 3*packFrom).Draw(t, "values"))
			text, err := json.Marshal(want)
			require.NoError(t, err)
			var got Packed[string]
			require.NoError(t, json.Unmarshal(text, &got))
			require.Equal(t, len(want), len(got))
			for i := range want {
				require.Equal(t, want[i], got[i])
			}
		})
	})

	t.Run("is_readable_while_it_is_short", func(t *testing.T) {
		text, err := json.Marshal(Packed[int]{1, 2})
		require.NoError(t, err)
		require.Equal(t, "[1,2]", string(text))
	})

	t.Run("says_what_is_wrong_with_it", func(t *testing.T) {
		var p Packed[int]
		require.ErrorContains(t, json.Unmarshal([]byte(`"bm8gZ3ppcCBhdCBhbGw="`), &p), "unpack a list")
	})

	// A Pools workflow that continues as new carries what waits in one payload.
	t.Run("holds_the_requests_of_500_dates_of_40_tasks_in_a_payload", func(t *testing.T) {
		for _, c := range []struct{ runs, tasks int }{{500, 5}, {500, 40}, {1000, 40}} {
			requests := waiting(c.runs, c.tasks)
			plain, err := json.Marshal([]Request(requests))
			require.NoError(t, err)
			packed, err := json.Marshal(PoolsState{Rebuilt: true, Waiting: requests})
			require.NoError(t, err)
			t.Logf("%d requests: %d kB, packed %d kB (%.0f bytes each)", len(requests), len(plain)>>10, len(packed)>>10, float64(len(packed))/float64(len(requests)))
			require.Less(t, len(packed), limitOfPayload/2, "%d requests", len(requests))
		}
	})
}
