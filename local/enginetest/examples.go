package enginetest

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/local/reference"
)

// Example is a sequence of runs after which the tables must be those of the reference.
type Example struct {
	// Name is the rule that the example shows.
	Name string
	// landed holds the posts of each date; all have a geo and a user record.
	landed map[string][]post
	runs   []exampleRun
}

// post is a version of a post; followers is its follower count as it was sent.
type post struct {
	index     int
	followers string
}

type exampleRun struct {
	dates []string
	options
	killed string // the notebook that is killed after two statements
}

const (
	sunday  = "2022-10-16"
	monday  = "2022-10-17"
	tuesday = "2022-10-18"
)

var (
	strict  = options{Invalid: "quarantine"}
	lenient = options{Invalid: "null"}
)

// Examples are the sequences that have gone wrong before, or that are easily got wrong.
var Examples = []Example{
	{
		Name:   "a_rerun_removes_what_its_parameters_reject",
		landed: map[string][]post{monday: {{1, "1k"}, {2, "User Info Error"}, {3, "User Info Error"}, {4, "User Info Error"}, {5, "User Info Error"}}},
		runs:   []exampleRun{{dates: []string{monday}, options: lenient}, {dates: []string{monday}, options: strict}},
	},
	{
		Name:   "a_rerun_removes_what_its_rules_reject",
		landed: map[string][]post{monday: {{1, "1k"}, {20, "2k"}}},
		runs:   []exampleRun{{dates: []string{monday}, options: strict}, {dates: []string{monday}, options: options{rules{IndexDigits: 1}, "quarantine"}}},
	},
	{
		Name:   "the_version_of_an_earlier_date_comes_back",
		landed: map[string][]post{monday: {{1, "1k"}}, tuesday: {{1, "User Info Error"}}},
		runs: []exampleRun{
			{dates: []string{monday}, options: strict}, {dates: []string{tuesday}, options: lenient}, {dates: []string{tuesday}, options: strict},
		},
	},
	{
		Name:   "an_earlier_date_does_not_replace_a_later_one",
		landed: map[string][]post{monday: {{1, "1k"}}, tuesday: {{1, "2k"}}},
		runs:   []exampleRun{{dates: []string{tuesday}, options: strict}, {dates: []string{monday}, options: strict}},
	},
	{
		Name:   "a_group_gives_what_its_dates_give_alone",
		landed: map[string][]post{monday: {{1, "1k"}, {2, "x"}, {3, "3k"}}, tuesday: {{1, "2k"}, {2, "2k"}, {3, "x"}}},
		runs:   []exampleRun{{dates: []string{monday}, options: lenient}, {dates: []string{monday, tuesday}, options: strict}},
	},
	{
		Name:   "a_group_may_be_in_any_order_and_have_gaps",
		landed: map[string][]post{sunday: {{1, "1k"}, {4, "4k"}}, monday: {{1, "1k"}, {2, "x"}}, tuesday: {{1, "2k"}, {3, "x"}}},
		runs: []exampleRun{
			{dates: []string{monday}, options: lenient}, {dates: []string{tuesday, sunday}, options: strict}, {dates: []string{tuesday, sunday}, options: strict},
		},
	},
	{
		Name:   "a_killed_run_leaves_nothing_behind",
		landed: map[string][]post{monday: {{1, "1k"}, {2, "User Info Error"}}},
		runs: []exampleRun{
			{dates: []string{monday}, options: lenient}, {dates: []string{monday}, options: strict, killed: "clean_pin"}, {dates: []string{monday}, options: lenient},
		},
	},
}

// Run runs the example in a schema of this name, which must not exist.
func (e Example) Run(ctx context.Context, t T, s System, name string) {
	h := &history{pipeline: newPipeline(ctx, t, s, name, name), landed: map[string][]reference.Record{}, last: map[string]options{}, dirty: map[string]bool{}}
	for _, date := range slices.Sorted(maps.Keys(e.landed)) {
		h.landed[date] = e.records(date)
		h.land(date, h.landed[date])
	}
	for _, run := range e.runs {
		for _, date := range run.dates {
			h.last[date] = run.options
		}
		h.runGroup(t, run.dates, run.options, run.killed, 2)
	}
	require.NoError(t, h.run("query", []string{monday}, strict, -1))
	var batches []reference.Batch
	for date, records := range h.landed {
		batches = append(batches, reference.Batch{Records: records, Options: h.last[date].reference()})
	}
	requireEqualTables(t, "the reference", referenceTables(reference.Build(batches...)), h.tables(t))
}

// records returns the records of a date, a post and its place and user each.
func (e Example) records(date string) []reference.Record {
	var all []reference.Record
	for i, p := range e.landed[date] {
		for _, kind := range Kinds {
			value := map[string]string{
				"pin":  fmt.Sprintf(`{"index":%d,"unique_id":"00000000-0000-4000-8000-000000000000","follower_count":%q,"poster_name":"Ann","category":"art"}`, p.index, p.followers),
				"geo":  fmt.Sprintf(`{"ind":%d,"timestamp":"2020-01-01 00:00:00","latitude":1.5,"longitude":2,"country":"Albania"}`, p.index),
				"user": fmt.Sprintf(`{"ind":%d,"first_name":"Bo","last_name":"Ng","age":30,"date_joined":"2016-01-01 00:00:00"}`, p.index),
			}[kind]
			all = append(all, reference.Record{Kind: kind, Date: date, Offset: int64(i), Timestamp: int64(i), Value: []byte(value)})
		}
	}
	return all
}
