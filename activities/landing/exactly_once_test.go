package landing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	"pgregory.net/rapid"

	"github.com/pinflow/pinflow/internal/dates"
)

// requireExactlyOnce checks that the dates [first, last] have landed all records between their
// boundaries, each record once and under the date of its boundaries, and that the boundaries are in
// order.
func (l *landings) requireExactlyOnce(t require.TestingT, first, last dates.Date) {
	before := l.boundary(t, first.Add(-1))
	for date := first; date <= last; date = date.Add(1) {
		after := l.boundary(t, date)
		var want []string
		for partition, log := range l.broker.topics[topic] {
			require.LessOrEqual(t, before.at(partition), after.at(partition), "boundaries of %s and %s, partition %d", date.Add(-1), date, partition)
			for _, record := range log.records {
				if record.Offset >= before.at(partition) && record.Offset < after.at(partition) {
					want = append(want, fmt.Sprintf("%d/%d", partition, record.Offset))
				}
			}
		}
		require.Equal(t, want, l.offsets(t, date), "date %s", date)
		before = after
	}
}

func (l *landings) boundary(t require.TestingT, date dates.Date) boundary {
	body, err := l.bucket.Get(context.Background(), boundaryKey(topic, date))
	require.NoError(t, err, "boundary of %s", date)
	fixed := boundary{}
	require.NoError(t, json.Unmarshal(body, &fixed))
	return fixed
}

func TestLanding(t *testing.T) {
	// Over some days, records arrive in time, late, and from fast clocks. Partitions are added.
	// Dates are planned and landed in any order, in part and again, with workers that die
	// meanwhile. In the end every record has landed once, under one date.
	t.Run("no_gap_no_overlap_in_any_order", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			const first = dates.Date("2024-02-27")
			l := newLandings(rapid.IntRange(1, 3).Draw(t, "partitions"), at(first, 1))
			l.ObjectRecords = rapid.IntRange(1, 4).Draw(t, "records an object")
			l.broker.fetchSize = rapid.IntRange(0, 3).Draw(t, "records a fetch")
			hours := rapid.SampledFrom([]float64{0.1, 1, 5, 11, 30, 60})
			t.Repeat(map[string]func(*rapid.T){
				"produce": func(t *rapid.T) {
					partition := rapid.IntRange(0, len(l.broker.topics[topic])-1).Draw(t, "partition")
					off := rapid.SampledFrom([]float64{0, 0, 0, 0, -2, -30, -100, 0.5, 3, 50, 24 * 400}).Draw(t, "hours off")
					for range rapid.IntRange(1, 5).Draw(t, "count") {
						l.broker.produce(topic, partition, later(l.now, off), "{}")
					}
				},
				"leave offsets out": func(t *rapid.T) {
					l.broker.skip(topic, rapid.IntRange(0, len(l.broker.topics[topic])-1).Draw(t, "partition"), 2)
				},
				"add a partition": func(t *rapid.T) {
					if len(l.broker.topics[topic]) < 5 {
						l.broker.addPartition(topic)
					}
				},
				"time passes": func(t *rapid.T) { l.now = later(l.now, hours.Draw(t, "hours")) },
				"plan": func(t *rapid.T) {
					_, err := l.plan(drawDate(t, first, l.now))
					require.NoError(t, err)
				},
				"land": func(t *rapid.T) { l.land(t, drawDate(t, first, l.now)) },
				"land until the writer dies": func(t *rapid.T) {
					var left atomic.Int64 // the empty partitions of a plan are written side by side
					left.Store(rapid.Int64Range(0, 3).Draw(t, "writes"))
					lost := rapid.Bool().Draw(t, "after its write")
					fault := func(request, key string) error {
						if request != "put" || !strings.HasPrefix(key, "topics/") {
							return nil
						}
						if left.Add(-1) < 0 {
							return errors.New("dead")
						}
						return nil
					}
					if lost {
						l.bucket.FailAfter(fault)
					} else {
						l.bucket.FailBefore(fault)
					}
					if plan, err := l.plan(drawDate(t, first, l.now)); err == nil {
						_, _ = l.landPlan(plan)
					}
					l.bucket.FailBefore(nil)
					l.bucket.FailAfter(nil)
				},
			})
			l.now = dates.Of(l.now).End()
			last := dates.Of(l.now).Add(-1)
			for _, date := range rapid.Permutation(datesBetween(first, last)).Draw(t, "order") {
				l.land(t, date)
			}
			l.requireExactlyOnce(t, first, last)
		})
	})

	// Many workers plan and land all dates at the same time, two of them each date, while records
	// arrive.
	t.Run("no_gap_no_overlap_in_parallel", func(t *testing.T) {
		for seed := range uint64(20) {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				random := rand.New(rand.NewPCG(seed, 0))
				l := newLandings(3, at(day.Add(12), 1))
				l.ObjectRecords, l.broker.fetchSize = 3, 2
				for hour := range 250 {
					l.broker.produce(topic, random.IntN(3), at(day, float64(hour)+random.NormFloat64()*20), "{}")
				}
				all := datesBetween(day, day.Add(11))
				order := slices.Concat(all, all)
				random.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
				var group errgroup.Group
				group.SetLimit(8)
				for _, date := range order {
					late := at(day, random.Float64()*300)
					group.Go(func() error {
						l.broker.produce(topic, 1, late, "{}")
						plan, err := l.plan(date)
						if err == nil {
							_, err = l.landPlan(plan)
						}
						return err
					})
				}
				require.NoError(t, group.Wait())
				l.requireExactlyOnce(t, all[0], all[len(all)-1])
			})
		}
	})
}

func drawDate(t *rapid.T, first dates.Date, now time.Time) dates.Date {
	return rapid.SampledFrom(datesBetween(first, dates.Of(now))).Draw(t, "date")
}

func later(moment time.Time, hours float64) time.Time {
	return moment.Add(time.Duration(hours * float64(time.Hour)))
}

func datesBetween(first, last dates.Date) []dates.Date {
	var all []dates.Date
	for date := first; date <= last; date = date.Add(1) {
		all = append(all, date)
	}
	return all
}
