package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// post is a row of the model: key, value, date.
type post struct{ k, v, d int }

// model is the content of a table, as a serial reference.
type model []post

// step is a write in SQL, and what it does to the model.
type step struct {
	sql   string
	apply func(model) model
}

// drawStep draws a write with a value of its own, so that the result tells who wrote what.
func drawStep(t *rapid.T, v int) step {
	k, d := rapid.IntRange(1, 3).Draw(t, "k"), rapid.IntRange(1, 3).Draw(t, "d")
	without := func(m model, gone func(post) bool) model { return slices.DeleteFunc(slices.Clone(m), gone) }
	switch rapid.SampledFrom([]string{"insert", "copy", "merge", "replace where", "replace keeping", "delete", "update", "replace"}).Draw(t, "write") {
	case "insert":
		return step{fmt.Sprintf("INSERT INTO t VALUES (%d, %d, %d)", k, v, d), func(m model) model { return append(slices.Clone(m), post{k, v, d}) }}
	case "copy":
		return step{fmt.Sprintf("INSERT INTO t SELECT k, %d, d FROM t WHERE d = %d", v, d), func(m model) model {
			all := slices.Clone(m)
			for _, p := range m {
				if p.d == d {
					all = append(all, post{p.k, v, p.d})
				}
			}
			return all
		}}
	case "replace keeping":
		return step{
			fmt.Sprintf("INSERT INTO t REPLACE WHERE d BETWEEN %d AND %d SELECT %d, %d, %d UNION ALL SELECT * FROM t WHERE d BETWEEN %d AND %d AND d <> %d", d, d+1, k, v, d, d, d+1, d),
			func(m model) model { return append(without(m, func(p post) bool { return p.d == d }), post{k, v, d}) },
		}
	case "merge":
		return step{
			fmt.Sprintf("MERGE INTO t USING (SELECT unnest([%d, %d]) AS k, %d AS v, %d AS d) AS s ON t.k = s.k WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *", k, k+1, v, d),
			func(m model) model {
				all := slices.Clone(m)
				for _, key := range []int{k, k + 1} {
					matched := false
					for i := range all {
						if all[i].k == key {
							all[i], matched = post{key, v, d}, true
						}
					}
					if !matched {
						all = append(all, post{key, v, d})
					}
				}
				return all
			},
		}
	case "replace where":
		return step{fmt.Sprintf("INSERT INTO t REPLACE WHERE d IN (%d, 9) SELECT %d, %d, %d", d, k, v, d), func(m model) model {
			return append(without(m, func(p post) bool { return p.d == d || p.d == 9 }), post{k, v, d})
		}}
	case "delete":
		return step{fmt.Sprintf("DELETE FROM t WHERE k = %d", k), func(m model) model { return without(m, func(p post) bool { return p.k == k }) }}
	case "update":
		return step{fmt.Sprintf("UPDATE t SET v = %d WHERE k = %d", v, k), func(m model) model {
			all := slices.Clone(m)
			for i := range all {
				if all[i].k == k {
					all[i].v = v
				}
			}
			return all
		}}
	}
	return step{fmt.Sprintf("CREATE OR REPLACE TABLE t AS SELECT %d AS k, %d AS v, %d AS d", k, v, d), func(model) model { return model{{k, v, d}} }}
}

func (m model) String() string {
	var rows []string
	for _, p := range m {
		rows = append(rows, fmt.Sprint(p))
	}
	slices.Sort(rows)
	return strings.Join(rows, " ")
}

// serial reports whether some order of the steps leads from one content to another.
func serial(from model, steps []step, to string) bool {
	if len(steps) == 0 {
		return from.String() == to
	}
	for i, s := range steps {
		rest := slices.Concat(steps[:i], steps[i+1:])
		if serial(s.apply(from), rest, to) {
			return true
		}
	}
	return false
}

// The property: whatever sessions write one table at the same time, the result is that of some
// serial order of the writes that succeeded, and each other one failed in Delta's words.
func TestConcurrentWritersAreSerialOrConflict(t *testing.T) {
	t.Parallel()
	conflicts, successes := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		ctx := context.Background()
		e, err := Open(ctx, Options{Threads: 1})
		require.NoError(t, err)
		defer func() { require.NoError(t, e.Close()) }()
		start := model{{1, 0, 1}, {2, 0, 2}, {2, 0, 3}}
		for _, sql := range []string{"CREATE TABLE t (k INT, v INT, d INT)", "INSERT INTO t VALUES (1, 0, 1), (2, 0, 2), (2, 0, 3)"} {
			_, err := e.Query(ctx, Query{SQL: sql})
			require.NoError(t, err)
		}
		steps := make([]step, rapid.IntRange(2, 6).Draw(t, "writers"))
		for i := range steps {
			steps[i] = drawStep(t, i+1)
		}
		errs := make([]error, len(steps))
		var group sync.WaitGroup
		for i, s := range steps {
			group.Go(func() { _, errs[i] = e.Query(ctx, Query{SQL: s.sql}) })
		}
		group.Wait()
		var succeeded []step
		for i, err := range errs {
			if err == nil {
				succeeded = append(succeeded, steps[i])
				continue
			}
			conflicts++
			var failed *StatementError
			require.ErrorAs(t, err, &failed)
			require.Regexp(t, deltaWords, failed.Message, steps[i].sql)
		}
		successes += len(succeeded)
		require.NotEmpty(t, succeeded, "a write succeeds")
		table, err := e.Query(ctx, Query{SQL: "SELECT k, v, d FROM t"})
		require.NoError(t, err)
		var now model
		for _, row := range table.Rows {
			now = append(now, post{int(row[0].(int64)), int(row[1].(int64)), int(row[2].(int64))})
		}
		require.True(t, serial(start, succeeded, now.String()), "no order of %v leads to %v", succeeded, now)
	})
	t.Logf("%d writes succeeded, %d conflicted", successes, conflicts)
	require.NotZero(t, conflicts, "the writers never met")
}
