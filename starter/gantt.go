package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/run"
)

func (a *app) ganttCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "gantt <date>",
		Short: "Show when each try of a date's run waited and worked, on an axis of time",
		Long: "Gantt draws a bar for each try of each task: where it worked, and where it waited for a slot of its pool.\n\n" +
			"It shows the latest run of the date, also while it is going. Results that were carried over from an earlier run have no bar.",
		Example: "  starter gantt 2022-10-18",
		GroupID: groupViews,
		Args:    cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("which date? Name it as YYYY-MM-DD, for example `starter gantt %s`", a.yesterday())
			}
			date, err := a.parseDate("date", args[0])
			if err != nil {
				return err
			}
			run, lost, err := a.latestRun(c.Context(), date)
			if err != nil {
				return err
			}
			if a.form(c) == formJSON {
				err = a.printJSON(struct {
					dateRun
					Bars []ganttBar `json:"bars"`
				}{run, a.ganttBars(run)})
			} else {
				a.printGantt(run)
			}
			if err != nil {
				return err
			}
			return a.shown(lost)
		},
	}
	return prints(c, formTable, formJSON)
}

// spanRunes fill a span: one that works, one that waits.
var spanRunes = map[bool]rune{false: '█', true: '░'}

// ganttAxis maps times to columns.
type ganttAxis struct {
	from, to time.Time
	width    int
}

func (x ganttAxis) column(t time.Time) int {
	whole := x.to.Sub(x.from)
	return max(0, min(x.width, int(float64(t.Sub(x.from))/float64(max(whole, 1))*float64(x.width)+0.5)))
}

// printGantt draws the bars under their axis.
func (a *app) printGantt(r dateRun) {
	const took = 8 // the column behind the bars
	width, _ := columns(a.stdout)
	names := nameWidth(idsOf(r.Tasks))
	axis := ganttAxis{r.Started, r.Ended, max(10, width-names-4-took)}
	if axis.to.IsZero() {
		axis.to = a.now()
	}
	bars := a.ganttBars(r)
	used := map[run.State]bool{}
	waited := time.Duration(0)
	a.sayTitle(r.Status)
	a.say("%s to %s UTC\n", moment(axis.from), moment(axis.to))
	a.say("%s%s%s", strings.Repeat(" ", names+4), a.paint(text.FgHiBlack, pad(axis.ticks(), axis.width)), padLeft("took", took))
	last := ""
	for _, bar := range bars {
		name := bar.Task
		if name == last {
			name = ""
		}
		last = bar.Task
		try := "  "
		if bar.Try > 1 {
			try = pad(fmt.Sprint(bar.Try), 2)
		}
		used[bar.State] = true
		waited += bar.length(true)
		a.say("%s", strings.TrimRight(pad(short(name, names-1), names)+a.paintMark(bar.State)+try+" "+a.ganttLine(bar, axis, took), " "))
	}
	a.say("\n%s", a.legend(width, used))
	items := []string{"█ works"}
	if slices.ContainsFunc(bars, func(b ganttBar) bool { return b.Try > 1 }) {
		items = append(items, "a number: the try")
	}
	if waited >= 50*time.Millisecond { // less is 0.0s
		what := " for a slot of its pool"
		if slices.ContainsFunc(bars, func(b ganttBar) bool { return len(b.Spans) > 0 && b.Note != "" }) {
			what = "" // it is said below
		}
		items = append(items, fmt.Sprintf("░ waits%s, %s in all", what, duration(waited)))
	}
	a.say("%s", flow(width, items))
	for _, bar := range bars {
		if len(bar.Spans) > 0 && bar.Note != "" {
			a.say("%s waits for %s", bar.Task, bar.Note)
		}
	}
}

// ganttLine is a bar on the axis and how long it is, or why there is none.
func (a *app) ganttLine(bar ganttBar, axis ganttAxis, took int) string {
	if len(bar.Spans) == 0 {
		return short(bar.Note, axis.width)
	}
	cells := make([]rune, axis.width)
	for _, s := range bar.Spans {
		for i := axis.column(s.From); i < axis.column(s.To); i++ {
			cells[i] = spanRunes[s.Waiting]
		}
	}
	if longest := bar.longest(); axis.column(longest.From) == axis.column(longest.To) { // too short a try to be seen otherwise
		cells[min(axis.column(longest.From), axis.width-1)] = spanRunes[longest.Waiting]
	}
	var line strings.Builder
	for i := 0; i < len(cells); {
		j := i
		for j < len(cells) && cells[j] == cells[i] {
			j++
		}
		switch piece := string(cells[i:j]); cells[i] {
		case 0:
			line.WriteString(strings.Repeat(" ", j-i))
		case '░':
			line.WriteString(a.paint(text.FgHiBlack, piece))
		default:
			line.WriteString(a.paintState(bar.State, piece))
		}
		i = j
	}
	return line.String() + padLeft(duration(bar.length(false)), took)
}

// tickSteps are the distances that an axis may have between two of its times.
var tickSteps = []time.Duration{
	100 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond,
	time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 15 * time.Second, 30 * time.Second,
	time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour,
}

// ticks is the axis: a stroke at each round time, and the time.
func (x ganttAxis) ticks() string {
	step := x.step()
	line := ""
	for at := x.from.UTC().Truncate(step); !at.After(x.to); at = at.Add(step) {
		if at.Before(x.from) {
			continue
		}
		label := "│" + at.Format("15:04:05")
		switch {
		case step < time.Second:
			label = "│" + at.Format("15:04:05.0")
		case step >= 24*time.Hour:
			label = "│" + at.Format("Jan 02")
		case step >= time.Minute:
			label = "│" + at.Format("15:04")
		}
		if column := x.column(at); column+len([]rune(label)) <= x.width {
			line = pad(line, column) + label
		}
	}
	if line == "" { // too short a time for a round one
		line = "│" + x.from.UTC().Format("15:04:05.000")
	}
	return string([]rune(line)[:min(len([]rune(line)), x.width)])
}

// step is the shortest distance of two times for which there is room.
func (x ganttAxis) step() time.Duration {
	const room = 13 // a time, its stroke, and a blank or two
	fits := func(step time.Duration) bool { return float64(x.width)*float64(step) >= room*float64(x.to.Sub(x.from)) }
	for _, step := range tickSteps {
		if fits(step) {
			return step
		}
	}
	step := tickSteps[len(tickSteps)-1]
	for !fits(step) {
		step *= 2
	}
	return step
}

func idsOf(tasks []run.Task) dag.Tasks {
	ids := make(dag.Tasks, len(tasks))
	for i, task := range tasks {
		ids[i] = task.ID
	}
	return ids
}
