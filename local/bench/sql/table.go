package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// table sets what was measured as a Markdown table: a row for each step, and the sums of the daily
// run, in which the second load is no part.
func table(all []measured) string {
	rows := [][]string{{"posts a topic", "engine", "step", "wall", "CPU", "peak memory"}}
	var sums []measured
	for _, m := range all {
		rows = append(rows, row(m))
		if m.Engine == "bare" || m.Step == again {
			continue
		}
		i := slices.IndexFunc(sums, func(s measured) bool { return s.Engine == m.Engine && s.Posts == m.Posts })
		if i < 0 {
			i, sums = len(sums), append(sums, measured{Engine: m.Engine, Posts: m.Posts, Step: "all five"})
		}
		s := &sums[i]
		s.Wall, s.CPU, s.Peak = s.Wall+m.Wall, s.CPU+m.CPU, max(s.Peak, m.Peak)
	}
	for _, s := range sums {
		rows = append(rows, row(s))
	}
	return markdown(rows) + ratios(all, sums)
}

func row(m measured) []string {
	return []string{fmt.Sprint(m.Posts), m.Engine, m.Step, seconds(m.Wall), seconds(m.CPU), fmt.Sprintf("%d MB", m.Peak/1_000_000)}
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

// ratios compares the daily run of the workspace with the others, in lines below the table.
func ratios(all, sums []measured) string {
	var b strings.Builder
	for _, duck := range sums {
		if duck.Engine != "duckdb" {
			continue
		}
		for _, other := range append(slices.Clone(all), sums...) {
			if other.Posts != duck.Posts || other.Engine == "duckdb" || other.Engine == "spark" && other.Step != "all five" {
				continue
			}
			if other.Engine == "spark" {
				fmt.Fprintf(&b, "\n%d posts a topic: Spark takes %.1f × the time and %.1f × the CPU of the workspace.\n", duck.Posts,
					other.Wall.Seconds()/duck.Wall.Seconds(), other.CPU.Seconds()/duck.CPU.Seconds())
				continue
			}
			fmt.Fprintf(&b, "\n%d posts a topic: the workspace takes %.1f × the time and %.1f × the CPU of “%s”.\n", duck.Posts,
				duck.Wall.Seconds()/other.Wall.Seconds(), duck.CPU.Seconds()/other.CPU.Seconds(), other.Step)
		}
	}
	return b.String()
}

// markdown sets rows, the first of which is the head, so that the columns line up.
func markdown(rows [][]string) string {
	width := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			width[i] = max(width[i], len([]rune(cell)))
		}
	}
	var b strings.Builder
	line := func(cells []string) {
		for i, cell := range cells {
			b.WriteString("| " + cell + strings.Repeat(" ", width[i]-len([]rune(cell))) + " ")
		}
		b.WriteString("|\n")
	}
	line(rows[0])
	rule := make([]string, len(width))
	for i := range rule {
		rule[i] = strings.Repeat("-", width[i])
	}
	line(rule)
	for _, row := range rows[1:] {
		line(row)
	}
	return b.String()
}
