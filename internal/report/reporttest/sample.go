// Package reporttest has a report for tests: as large as those of the real records, with the texts
// that posts really have and some that attack the page.
package reporttest

import (
	"fmt"
	"time"

	"github.com/pinflow/pinflow/internal/answers"
	"github.com/pinflow/pinflow/internal/report"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/notebooks"
)

// Hostile holds texts that attack a page, or its layout.
var Hostile = []string{
	`<script>document.title = 'owned'</script>`,
	`"><img src=x onerror="document.title = 'owned'">`,
	`</style><h1>owned</h1>{{.DAG}}`,
	`#010201 fill:#010201;`,
	"Наталья · 日本語のユーザー 🎄",
	"\u202eright to left",
	"Antarctica (the territory South of 60 deg S) & South Georgia and the South Sandwich Islands",
	"anuninterruptednamewithoutanyblankthatislongerthanthescreenofaphoneiswide",
}

// Sample returns the report.
func Sample() report.Report {
	ended := time.Date(2022, 10, 19, 0, 4, 30, 0, time.UTC)
	r := report.Report{
		DAG: "pinterest-daily", Deployment: "pinflow", Schema: "main.pinterest", Written: ended.Add(time.Minute),
		Quarantine: []answers.Share{
			{Kind: "pin", Topic: "pinflow.pin", Records: 11154, Quarantined: 118, Reasons: []answers.ReasonCount{{Reason: "follower_count", Records: 117}, {Reason: "not a pin record", Records: 1}}},
			{Kind: "geo", Topic: "pinflow.geo", Records: 11154},
			{Kind: "user", Topic: "pinflow.user", Records: 11154, Quarantined: 4, Reasons: []answers.ReasonCount{{Reason: Hostile[0], Records: 4}}},
		},
	}
	for _, table := range answers.Tables(notebooks.Answers) {
		r.Answers = append(r.Answers, answers.Answer{Table: table, Rows: rows(table)})
	}
	r.Origins = report.Origins([]run.Status{{
		DAG: r.DAG, Date: "2022-10-18", WorkflowID: "pinflow.pinterest-daily.2022-10-18", RunID: "019a7e2a-8c21-7f34-b19e-0a1d3f2b7c55",
		Trigger: run.Scheduled, Params: map[string]string{"invalid_followers": Hostile[1]},
		Tasks: []run.Task{{ID: "query", State: run.Success, Tries: 1, Ended: ended, Outcome: run.Outcome{
			Notebook: "/Shared/pinflow/query", NotebookHash: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
			JobRunID: 704871329, Link: "https://example.cloud.databricks.com/jobs/runs/704871329",
		}}},
	}}, []report.Maker{{Task: "query", Tables: notebooks.Answers}})
	return r
}

// rows returns rows with as many values of each column as the real records have.
func rows(table answers.Table) [][]any {
	all := [][]any{nil}
	for i, column := range table.Columns {
		var next [][]any
		for _, row := range all {
			for _, value := range values(column, len(all)) {
				if i == len(table.Columns)-1 { // the value, one for each row
					value = scaled(value, len(next))
				}
				next = append(next, append(row[:len(row):len(row)], value))
			}
		}
		all = next
	}
	return all
}

func values(column answers.Column, rows int) []any {
	switch column.Name {
	case "country":
		all := []any{nil}
		for i, text := range Hostile {
			all = append(all, text, fmt.Sprintf("Country %d", i))
		}
		for i := range 200 {
			all = append(all, fmt.Sprintf("Land %03d", i))
		}
		return all
	case "category":
		if rows > 100 {
			return []any{"diy-and-crafts", "event-planning"}
		}
		return []any{"diy-and-crafts"}
	case "poster_name":
		return []any{Hostile[rows%len(Hostile)]}
	case "age_group":
		return []any{"18-24", "25-35", "36-50", "50+"}
	case "post_year":
		return []any{int64(2015), int64(2016), int64(2017), int64(2018), int64(2019), int64(2020)}
	case "median_follower_count":
		return []any{0.5}
	}
	return []any{int64(1)}
}

// scaled returns values that differ by orders of magnitude, with ties.
func scaled(value any, at int) any {
	factor := [...]int64{1, 3, 40, 40, 512, 7_000, 120_000, 8_000_000}[at%8]
	if f, ok := value.(float64); ok {
		return f * float64(factor)
	}
	return value.(int64) * factor
}
