package pools

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/pinflow/pinflow/internal/run"
)

// TestQueue compares the queue with a sorted list.
func TestQueue(t *testing.T) {
	t.Run("has_each_pool_in_order_whatever_comes_and_goes", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			q := newQueue()
			var model []*waitingRequest
			for step := range rapid.IntRange(1, 60).Draw(t, "steps") {
				if len(model) > 0 && rapid.IntRange(0, 2).Draw(t, "remove") == 0 {
					w := model[rapid.IntRange(0, len(model)-1).Draw(t, "which")]
					q.remove(w)
					model = slices.DeleteFunc(model, func(other *waitingRequest) bool { return other == w })
				} else {
					r := run.Request{
						WorkflowID: fmt.Sprint("run-", rapid.IntRange(0, 3).Draw(t, "run")), Task: fmt.Sprint(step),
						Pool: fmt.Sprint("pool-", rapid.IntRange(0, 3).Draw(t, "pool")), Priority: rapid.IntRange(1, 3).Draw(t, "priority"),
						Requested: someDay.Start().Add(time.Duration(rapid.IntRange(0, 3).Draw(t, "at")) * time.Second),
					}
					require.False(t, q.has(r))
					q.add(r, noonOf(step))
					require.True(t, q.has(r))
					of := q.of(r.WorkflowID)
					model = append(model, of[len(of)-1])
				}
				require.Equal(t, len(model), q.size)
				want := slices.Clone(model)
				slices.SortStableFunc(want, func(a, b *waitingRequest) int {
					if a.Priority != b.Priority {
						return a.Priority - b.Priority
					}
					return a.Requested.Compare(b.Requested)
				})
				pools := map[string][]*waitingRequest{}
				for _, w := range want {
					pools[w.Pool] = append(pools[w.Pool], w)
				}
				require.Len(t, q.pools, len(pools), "no pool without a request")
				for _, p := range q.pools {
					require.Equal(t, pools[p.name], p.waiting)
				}
				require.Len(t, q.requests(), len(model))
				n := 0
				for i := range 4 {
					n += len(q.of(fmt.Sprint("run-", i)))
				}
				require.Equal(t, len(model), n)
			}
		})
	})

	// 500 dates of 40 tasks at once.
	t.Run("takes_twenty_thousand_requests_without_passing_over_all_of_them", func(t *testing.T) {
		q := newQueue()
		began := time.Now()
		for i := range 500 {
			for j := range 40 {
				r := run.Request{WorkflowID: fmt.Sprint("run-", i), Task: fmt.Sprint(j), Pool: fmt.Sprint("pool-", j), Requested: noonOf(i)}
				if !q.has(r) {
					q.add(r, noonOf(i))
				}
			}
		}
		require.Equal(t, 20000, q.size)
		for q.size > 0 {
			q.remove(q.pools[0].waiting[0])
		}
		require.Less(t, time.Since(began), 5*time.Second, "30 ms on two cores; sorting all of them with each message took 17 s")
	})
}

func noonOf(n int) time.Time { return someDay.Start().Add(time.Duration(n) * time.Second) }
