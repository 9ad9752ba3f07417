package enginetest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/local/engine"
	"github.com/pinflow/pinflow/local/reference"
	"github.com/pinflow/pinflow/notebooks"
)

// cleaning holds the notebooks between landing and answers, in the order of the DAG.
var cleaning = []string{"load", "clean_pin", "clean_geo", "clean_user"}

// Silver is the property that silver, quarantine and gold are a function of what has landed: after
// any sequence of landings and runs, they equal those of a schema in which each date is cleaned once
// with its last rules and parameters, and those of the reference. A run is of a group of dates in any
// order, its rules and parameters change, and it may be killed after any statement.
//
// name is the start of the names of the schemas, which must not exist.
func Silver(ctx context.Context, t *rapid.T, s System, name string) {
	h := &history{pipeline: newPipeline(ctx, t, s, name, name), landed: map[string][]reference.Record{}, last: map[string]options{}, dirty: map[string]bool{}}
	for range rapid.IntRange(3, 12).Draw(t, "steps") {
		if len(h.landed) == 0 || rapid.IntRange(0, 2).Draw(t, "land or run") == 0 {
			h.landMore(t)
		} else {
			h.runSome(t)
		}
	}
	h.finish(t)
	h.compare(t)
}

// history is a pipeline and what has happened to it.
type history struct {
	*pipeline
	offset int64 // of the latest record of pin, geo and user
	posts  int64 // offset of the latest record of posts, which can be that of another topic's record, too
	landed map[string][]reference.Record
	last   map[string]options // of the latest run of each date
	dirty  map[string]bool    // dates that have to run: records have landed since, or a run was killed
}

// landMore lands records for a date; posts of any date are sent again.
func (h *history) landMore(t *rapid.T) {
	date := fmt.Sprintf("2022-10-%02d", rapid.IntRange(10, 14).Draw(t, "date"))
	lines := reference.Generate(rapid.Uint64().Draw(t, "seed"), rapid.IntRange(1, 30).Draw(t, "posts"))
	times := rapid.Int64Range(1, 40).Draw(t, "distinct times")
	var records []reference.Record
	for _, kind := range Kinds {
		for i, line := range lines[kind] {
			h.offset++
			records = append(records, reference.Record{
				Kind: kind, Date: date, Partition: i % 2, Offset: h.offset, Timestamp: h.offset * 7919 % times, Value: []byte(line),
			})
		}
	}
	for i, line := range reference.GeneratePosts(rapid.Uint64().Draw(t, "seed of posts"), rapid.IntRange(0, 15).Draw(t, "records of posts")) {
		h.posts++
		records = append(records, reference.Record{
			Kind: run.Post, Date: date, Partition: i % 2, Offset: h.posts, Timestamp: h.posts * 7919 % times, Value: []byte(line),
		})
	}
	records = reference.Unusual(records)
	h.land(date, records)
	h.landed[date] = append(h.landed[date], records...)
	h.dirty[date] = true
}

// runSome runs the notebooks for some dates with some options, and may kill one of them.
func (h *history) runSome(t *rapid.T) {
	landed := slices.Sorted(maps.Keys(h.landed))
	dates := rapid.SliceOfNDistinct(rapid.SampledFrom(landed), 1, len(landed), rapid.ID).Draw(t, "dates")
	o := options{
		rules: rules{
			IndexDigits: rapid.SampledFrom([]int{0, 0, 0, 1}).Draw(t, "digits of an index"),
			Thousand:    rapid.SampledFrom([]string{"", "", "", "111"}).Draw(t, "a thousand"),
		},
		Invalid: rapid.SampledFrom(notebooks.InvalidFollowers).Draw(t, "invalid_followers"),
	}
	killed := rapid.SampledFrom([]string{"", "", "", "load", "clean_pin", "clean_geo", "clean_user"}).Draw(t, "killed")
	after := rapid.IntRange(0, 5).Draw(t, "statements before")
	for _, date := range dates {
		h.last[date] = o
	}
	h.runGroup(t, dates, o, killed, after)
}

// runGroup runs the notebooks for a group of dates.
func (h *history) runGroup(t T, dates []string, o options, killed string, after int) {
	for _, notebook := range cleaning {
		statements := -1
		if notebook == killed {
			statements = after
		}
		require.NoError(t, h.run(notebook, dates, o, statements), "%s of %s", notebook, dates)
		if notebook == killed && notebook == "load" {
			break // the tasks after it do not run
		}
	}
	for _, date := range dates {
		h.dirty[date] = killed != ""
	}
}

// finish runs what has to run, as retries and later runs do, and answers the questions.
func (h *history) finish(t *rapid.T) {
	groups := map[options][]string{}
	for date, dirty := range h.dirty {
		if dirty {
			if _, ran := h.last[date]; !ran {
				h.last[date] = options{Invalid: "quarantine"}
			}
			groups[h.last[date]] = append(groups[h.last[date]], date)
		}
	}
	keys := slices.SortedFunc(maps.Keys(groups), func(a, b options) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	for _, o := range keys {
		h.runGroup(t, groups[o], o, "", 0)
	}
	if statements := rapid.IntRange(-1, 8).Draw(t, "statements of a query that is killed"); statements >= 0 && len(h.landed) > 0 {
		require.NoError(t, h.run("query", slices.Collect(maps.Keys(h.landed)), options{}, statements))
	}
	if len(h.landed) > 0 {
		require.NoError(t, h.run("query", slices.Collect(maps.Keys(h.landed)), options{}, -1))
	}
}

// compare compares all tables with those of a rebuild, and with the reference.
func (h *history) compare(t *rapid.T) {
	if len(h.landed) == 0 {
		return
	}
	rebuild := newPipeline(h.ctx, t, System{Engine: h.Rebuild, Objects: h.Objects}, h.schema+"_rebuilt", h.folder)
	var batches []reference.Batch
	for _, date := range slices.Sorted(maps.Keys(h.landed)) {
		for _, notebook := range cleaning {
			require.NoError(t, rebuild.run(notebook, []string{date}, h.last[date], -1))
		}
		batches = append(batches, reference.Batch{Records: h.landed[date], Options: h.last[date].reference()})
	}
	require.NoError(t, rebuild.run("query", slices.Collect(maps.Keys(h.landed)), options{}, -1))
	got := h.tables(t)
	requireEqualTables(t, "a rebuild from scratch", rebuild.tables(t), got)
	requireEqualTables(t, "the reference", referenceTables(reference.Build(batches...)), got)
}

// silver holds the columns that are compared, by table.
var silver = map[string]string{
	"pin":  "ind, unique_id, title, description, follower_count, poster_name, tag_list, is_image_or_video, image_src, save_location, category, CAST(logical_date AS STRING) AS logical_date",
	"geo":  "ind, country, coordinates, CAST(timestamp AS STRING) AS moment, CAST(logical_date AS STRING) AS logical_date",
	"user": "ind, user_name, age, CAST(date_joined AS STRING) AS moment, CAST(logical_date AS STRING) AS logical_date",
}

const quarantine = "CAST(logical_date AS STRING) AS logical_date, topic, topic_partition, topic_offset, element, reason, value"

// tables returns the rows of silver, quarantine and gold, each as a sorted list of JSON texts.
func (p *pipeline) tables(t T) map[string][]string {
	all := map[string][]string{}
	read := func(table, columns string) {
		result, err := p.Engine.Query(p.ctx, engine.Query{SQL: "SELECT " + columns + " FROM `" + table + "`", Schema: p.schema})
		require.NoError(t, err, table)
		all[table] = texts(result.Rows)
	}
	for _, kind := range Kinds {
		read(kind, silver[kind])
		read(kind+"_quarantine", quarantine)
	}
	for _, answer := range notebooks.Answers {
		read(answer, "*")
	}
	return all
}

func referenceTables(built reference.Built) map[string][]string {
	all := map[string][]string{}
	for _, kind := range Kinds {
		all[kind] = texts(built.Tables[kind])
		all[kind+"_quarantine"] = texts(built.Tables[kind+"_quarantine"])
	}
	for answer, rows := range built.Answers {
		all[answer] = texts(rows)
	}
	return all
}

func texts(rows [][]any) []string {
	all := []string{}
	for _, row := range rows {
		b, err := json.Marshal(row)
		if err != nil {
			b = []byte(err.Error())
		}
		all = append(all, string(b))
	}
	slices.Sort(all)
	return all
}

// requireEqualTables fails with the rows that one side has and the other has not.
func requireEqualTables(t T, of string, want, got map[string][]string) {
	t.Helper()
	var differences []string
	for _, table := range slices.Sorted(maps.Keys(want)) {
		for _, row := range minus(want[table], got[table]) {
			differences = append(differences, fmt.Sprintf("%s lacks %s", table, row))
		}
		for _, row := range minus(got[table], want[table]) {
			differences = append(differences, fmt.Sprintf("%s has  %s", table, row))
		}
	}
	require.Empty(t, differences, "compared with %s:\n%s", of, strings.Join(differences, "\n"))
}

// minus returns the elements of a that b has not, as often as they are missing.
func minus(a, b []string) []string {
	counts := map[string]int{}
	for _, row := range b {
		counts[row]++
	}
	var rest []string
	for _, row := range a {
		if counts[row]--; counts[row] < 0 {
			rest = append(rest, row)
		}
	}
	return rest
}
