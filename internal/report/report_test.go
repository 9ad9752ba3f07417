package report_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/answers"
	"github.com/pinflow/pinflow/internal/report"
	"github.com/pinflow/pinflow/internal/report/reporttest"
	"github.com/pinflow/pinflow/internal/run"
)

func write(t *testing.T, r report.Report) string {
	t.Helper()
	var page bytes.Buffer
	require.NoError(t, r.WriteHTML(&page))
	return page.String()
}

// of is a report of one answer.
func of(columns []answers.Column, rows ...[]any) report.Report {
	return report.Report{DAG: "d", Answers: []answers.Answer{{Table: answers.Table{Name: "t", Title: "T", Columns: columns}, Rows: rows}}}
}

var (
	name  = answers.Column{Name: "name", Title: "name", Kind: answers.Text}
	year  = answers.Column{Name: "post_year", Title: "year", Kind: answers.Year}
	count = answers.Column{Name: "n", Title: "posts", Kind: answers.Integer}
)

func TestWriteHTML(t *testing.T) {
	t.Run("is_the_same_each_time", func(t *testing.T) {
		require.Equal(t, write(t, reporttest.Sample()), write(t, reporttest.Sample()))
	})

	t.Run("escapes_all_texts", func(t *testing.T) {
		page := write(t, reporttest.Sample())
		for _, tag := range []string{"<script", "<img", "onerror=\"", "</style><h1>"} {
			require.NotContains(t, page, tag)
		}
		require.Contains(t, page, "&lt;script&gt;document.title")
		require.Contains(t, page, "#010201 fill:#010201;", "a text that looks like a style is left as it is")
		require.NotContains(t, page, `="#0102`, "every color is a variable")
		require.NotRegexp(t, `style="[^"]*#0102`, page, "every color is a variable")
	})

	t.Run("needs_no_other_file", func(t *testing.T) {
		page := write(t, reporttest.Sample())
		require.NotRegexp(t, `<(img|link|script|iframe|object|use|image)\b|url\(|@import`, page)
		require.Contains(t, page, `content="default-src 'none'; style-src 'unsafe-inline'"`)
	})

	t.Run("says_where_the_answers_come_from", func(t *testing.T) {
		page := write(t, reporttest.Sample())
		for _, text := range []string{"pinflow.pinterest-daily.2022-10-18", "019a7e2a-8c21-7f34-b19e-0a1d3f2b7c55", "2022-10-19 00:04 UTC", "9f86d081884c7d65", "704871329", "main.pinterest", "try 1"} {
			require.Contains(t, page, text)
		}
	})

	t.Run("says_that_a_run_was_partial_or_is_not_known", func(t *testing.T) {
		r := reporttest.Sample()
		r.Origins[0].Partial, r.Origins[0].Until = true, time.Date(2022, 10, 18, 12, 0, 0, 0, time.UTC)
		require.Contains(t, write(t, r), "seen up to 2022-10-18 12:00 UTC")
		r.Origins = nil
		require.Contains(t, write(t, r), "does not know which run")
	})

	t.Run("says_the_shares_of_quarantine", func(t *testing.T) {
		page := write(t, reporttest.Sample())
		for _, cell := range []string{"11,154", "118", "1.1 %", "0.0 %", "&lt; 0.1 %", "follower_count: 117"} {
			require.Contains(t, page, cell)
		}
	})

	t.Run("writes_numbers_for_readers", func(t *testing.T) {
		page := write(t, of([]answers.Column{name, year, count}, []any{"a", int64(2022), int64(1234567)}, []any{nil, nil, nil}, []any{"b", int64(2021), int64(-1000)}))
		for _, text := range []string{">2022<", ">1,234,567<", ">–<", ">-1,000<"} {
			require.Contains(t, page, text)
		}
	})
}

func TestCharts(t *testing.T) {
	chart := func(t *testing.T, r report.Report) (kind string, page string) {
		page = write(t, r)
		switch {
		case strings.Contains(page, `aria-label="Bar chart.`):
			return "bars", page
		case strings.Contains(page, `aria-label="Line chart.`):
			return "lines", page
		}
		return "", page
	}

	t.Run("are_lines_over_years_and_bars_otherwise", func(t *testing.T) {
		kind, _ := chart(t, of([]answers.Column{year, count}, []any{int64(2015), int64(1)}, []any{int64(2016), int64(2)}))
		require.Equal(t, "lines", kind)
		kind, _ = chart(t, of([]answers.Column{name, year, count}, []any{"a", int64(2015), int64(1)}, []any{"b", int64(2015), int64(2)}))
		require.Equal(t, "lines", kind)
		kind, _ = chart(t, of([]answers.Column{name, count}, []any{"a", int64(1)}, []any{"b", int64(2)}))
		require.Equal(t, "bars", kind)
		kind, _ = chart(t, of([]answers.Column{year, name, count}, []any{int64(2015), "a", int64(1)}, []any{int64(2016), "b", int64(2)}))
		require.Equal(t, "lines", kind)
	})

	t.Run("are_lines_for_each_answer_over_years", func(t *testing.T) {
		for _, answer := range reporttest.Sample().Answers {
			want := "bars"
			if slices.ContainsFunc(answer.Columns, func(c answers.Column) bool { return c.Kind == answers.Year }) {
				want = "lines"
			}
			kind, _ := chart(t, report.Report{DAG: "d", Answers: []answers.Answer{answer}})
			require.Equal(t, want, kind, answer.Name)
		}
	})

	t.Run("name_the_texts_of_each_year_and_its_value", func(t *testing.T) {
		columns := []answers.Column{year, name, count}
		_, page := chart(t, of(columns, []any{int64(2018), "art", int64(16)}, []any{int64(2018), "diy", int64(16)}, []any{int64(2019), "travel", int64(19)}))
		require.Contains(t, page, "Posts by year, with name. 2018, art, diy: 16; 2019, travel: 19.", "for those who do not see it")
		for _, drawn := range []string{">art, diy</text>", ">16</text>", ">travel</text>", ">19</text>"} {
			require.Contains(t, page, drawn)
		}
		_, page = chart(t, of(columns, []any{int64(2018), reporttest.Hostile[0], int64(16)}, []any{int64(2019), reporttest.Hostile[5], int64(19)}))
		require.NotContains(t, page, "<script")
		require.NotContains(t, page[:strings.Index(page, "</svg>")], "\u202e", "a text would turn the value beside it")
	})

	t.Run("name_the_texts_of_many_years_in_the_table_alone", func(t *testing.T) {
		var rows [][]any
		for i := range 30 {
			rows = append(rows, []any{int64(1990 + i), "art", int64(i)})
		}
		kind, page := chart(t, of([]answers.Column{year, name, count}, rows...))
		require.Equal(t, "lines", kind)
		require.NotContains(t, page, ">art</text>")
	})

	t.Run("are_bars_where_a_year_has_several_values", func(t *testing.T) {
		kind, _ := chart(t, of([]answers.Column{year, name, count}, []any{int64(2018), "art", int64(16)}, []any{int64(2018), "diy", int64(9)}))
		require.Equal(t, "bars", kind)
	})

	t.Run("are_left_out_where_they_say_nothing", func(t *testing.T) {
		for _, r := range []report.Report{
			of([]answers.Column{name, count}),
			of([]answers.Column{name, count}, []any{"a", int64(1)}),
			of([]answers.Column{name, name}, []any{"a", "b"}, []any{"a", "c"}),
			of([]answers.Column{count}, []any{int64(1)}, []any{int64(2)}),
			of(nil),
			of([]answers.Column{name, count}, []any{"a", nil}, []any{"b", nil}),
		} {
			kind, _ := chart(t, r)
			require.Empty(t, kind)
		}
	})

	t.Run("draw_zeros_and_negative_numbers_without_failing", func(t *testing.T) {
		for _, values := range [][2]int64{{0, 0}, {0, 1}, {-1, 5}, {1 << 62, 1}} {
			write(t, of([]answers.Column{name, count}, []any{"a", values[0]}, []any{"b", values[1]}))
			write(t, of([]answers.Column{year, count}, []any{int64(2015), values[0]}, []any{int64(2016), values[1]}))
			write(t, of([]answers.Column{year, name, count}, []any{int64(2015), "a", values[0]}, []any{int64(2016), nil, values[1]}))
			write(t, of([]answers.Column{name, year, count}, []any{"a", int64(2015), values[0]}, []any{"b", int64(2015), values[1]}))
		}
	})

	t.Run("join_the_rows_that_tie", func(t *testing.T) {
		_, page := chart(t, of([]answers.Column{name, name, count}, []any{"Aruba", "art", int64(6)}, []any{"Aruba", "tattoos", int64(6)}, []any{"Chad", "art", int64(2)}))
		require.Contains(t, page, "Aruba · art, tattoos: 6")
	})

	t.Run("draw_the_largest_of_many_and_no_part_of_a_tie", func(t *testing.T) {
		many := func(value func(i int) int64) report.Report {
			var rows [][]any
			for i := range 40 {
				rows = append(rows, []any{string(rune('A' + i)), value(i)})
			}
			return of([]answers.Column{name, count}, rows...)
		}
		_, page := chart(t, many(func(i int) int64 { return int64(i) }))
		require.Contains(t, page, "the 15 largest of 40")
		_, page = chart(t, many(func(i int) int64 { return int64(max(3, i-30)) }))
		require.Contains(t, page, "the 6 largest of 40", "the others tie")
		_, page = chart(t, many(func(int) int64 { return 1 }))
		require.Contains(t, page, "15 of 40, all with the same value", "all tie")
	})

	t.Run("say_when_the_scale_is_logarithmic", func(t *testing.T) {
		_, page := chart(t, of([]answers.Column{name, year, count}, []any{"a", int64(2015), int64(1)}, []any{"b", int64(2015), int64(1000)}))
		require.Contains(t, page, "on a logarithmic scale")
		_, page = chart(t, of([]answers.Column{name, year, count}, []any{"a", int64(2015), int64(10)}, []any{"b", int64(2015), int64(100)}))
		require.NotContains(t, page, "logarithmic")
	})

	t.Run("tell_lines_apart_without_colors", func(t *testing.T) {
		var rows [][]any
		for _, series := range []string{"a", "b", "c", "d"} {
			rows = append(rows, []any{series, int64(2015), int64(1)}, []any{series, int64(2016), int64(2)})
		}
		_, page := chart(t, of([]answers.Column{name, year, count}, rows...))
		looks := map[string]bool{}
		for _, variable := range []string{"var(--series-1)", "var(--series-2)", "var(--series-3)", "var(--series-4)"} {
			_, after, ok := strings.Cut(page, "stroke:"+variable)
			require.True(t, ok, variable)
			look, _, _ := strings.Cut(after, `"`)
			require.False(t, looks[look], "the dashes of %s are those of another line: %s", variable, look)
			looks[look] = true
		}
	})
}

func TestOrigins(t *testing.T) {
	at := func(minute int) time.Time { return time.Date(2022, 10, 19, 0, minute, 0, 0, time.UTC) }
	status := func(date string, state run.State, minute int) run.Status {
		s := run.Status{RunID: "r-" + date, Tasks: []run.Task{{ID: "query", State: state, Ended: at(minute)}}}
		return s
	}
	makers := []report.Maker{{Task: "query", Tables: []string{"a", "b"}}, {Task: "other", Tables: []string{"c"}}}

	t.Run("are_of_the_latest_success_whatever_its_date", func(t *testing.T) {
		found := report.Origins([]run.Status{status("1", run.Success, 5), status("2", run.Success, 9), status("3", run.Success, 7), status("4", run.Failed, 11)}, makers)
		require.Len(t, found, 1, "no run has the other task")
		require.Equal(t, "r-2", found[0].RunID)
		require.Equal(t, []string{"a", "b"}, found[0].Tables)
	})

	t.Run("are_empty_without_runs", func(t *testing.T) {
		require.Empty(t, report.Origins(nil, makers))
		require.Nil(t, report.Report{}.Latest())
	})
}
