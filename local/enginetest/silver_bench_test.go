package enginetest

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/local/engine"
)

// BenchmarkSilver measures what cleaning a date of 10,000 posts and answering the questions cost after
// so many rows of history:
//
//	go test ./enginetest -run '^$' -bench Silver -benchtime 1x
func BenchmarkSilver(b *testing.B) {
	for _, days := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("history=%d", days*postsOfDay), func(b *testing.B) {
			for b.Loop() {
				benchmarkSilver(b, days)
			}
		})
	}
}

// postsOfDay is how many posts each date of the benchmark has.
const postsOfDay = 10_000

func benchmarkSilver(b *testing.B, days int) {
	objects := &Objects{}
	e, err := engine.Open(b.Context(), engine.Options{Path: b.TempDir() + "/silver.db", Objects: objects, Threads: 2})
	require.NoError(b, err)
	defer func() { require.NoError(b, e.Close()) }()
	p := newPipeline(b.Context(), b, System{Engine: e, Objects: objects}, "pins", "pins")
	const last = "2022-04-11" // the date after the history
	p.land(last, Example{landed: map[string][]post{last: manyPosts()}}.records(last))
	timed := func(name string, do func() error) {
		start := time.Now()
		require.NoError(b, do(), name)
		b.ReportMetric(time.Since(start).Seconds(), name+"-s")
	}
	for _, notebook := range cleaning { // creates the tables
		require.NoError(b, p.run(notebook, []string{last}, strict, -1))
	}
	for _, statement := range fill(days) {
		_, err := e.Query(b.Context(), engine.Query{SQL: statement, Schema: "pins"})
		require.NoError(b, err)
	}
	timed("clean", func() error { return p.run("clean_pin", []string{last}, strict, -1) })
	timed("query", func() error { return p.run("query", []string{last}, strict, -1) })
}

// manyPosts returns posts of an own range of indexes.
func manyPosts() []post {
	var all []post
	for i := range postsOfDay {
		all = append(all, post{100_000_000 + i, "1k"})
	}
	return all
}

// fill returns the statements that fill so many dates. A quarter of the records was sent before.
func fill(days int) []string {
	date := fmt.Sprintf("DATE'2022-01-01' + CAST(floor(id / %d) AS INT)", postsOfDay)
	records := "SELECT " + date + " AS logical_date, 'u1.pin', 0, id, 0, 'f', NULL, NULL, " +
		"CASE WHEN id % 4 = 0 THEN floor(id / 3) ELSE id END AS ind"
	from := fmt.Sprintf(" FROM range(%d) AS ids QUALIFY row_number() OVER (PARTITION BY logical_date, ind ORDER BY id DESC) = 1", days*postsOfDay)
	text := "md5(CAST(id AS STRING))"
	return []string{
		"INSERT INTO raw SELECT logical_date, 'u1.pin', 0, id, id, 'f', " + text + ", true, NULL FROM (SELECT *, " + date + " AS logical_date FROM range(" + strconv.Itoa(days*postsOfDay) + ") AS ids) AS dated",
		"INSERT INTO pin_by_date " + records + ", " + text + ", " + text + ", repeat(" + text + ", 6), id % 1000, 'poster ' || id % 60000, repeat(" + text + ", 4), 'image', " + text + ", '/data', 'category ' || id % 13" + from,
		"INSERT INTO geo_by_date " + records + ", 'country ' || id % 233, array(1.5, 2), TIMESTAMP'2020-01-01 00:00:00'" + from,
		"INSERT INTO user_by_date " + records + ", 'name ' || id, 18 + id % 40, TIMESTAMP'2016-01-01 00:00:00'" + from,
	}
}
