package view

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/starter/history"
	"github.com/pinflow/pinflow/starter/term"
	"github.com/pinflow/pinflow/starter/view/mark"
)

// spanRunes fill the spans of a bar: running and waiting.
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

// Gantt draws the bars of a run below their axis.
func (v *View) Gantt(r history.Run) {
	const took = 8 // the column behind the bars
	width, _ := term.Columns(v.Out)
	names := NameWidth(r.TaskIDs())
	axis := ganttAxis{r.Started, r.Ended, max(10, width-names-4-took)}
	if axis.to.IsZero() {
		axis.to = v.Now()
	}
	v.runHead(r)
	if r.TasksUnknown {
		return
	}
	bars := v.GanttBars(r)
	used := map[run.State]bool{}
	waited := time.Duration(0)
	v.Say("%s to %s UTC\n", term.Moment(axis.from), term.Moment(axis.to))
	v.Say("%s%s%s", strings.Repeat(" ", names+4), v.Paint(text.FgHiBlack, term.Pad(axis.ticks(), axis.width)), term.PadLeft("took", took))
	last := ""
	for _, bar := range bars {
		name := bar.Task
		if name == last {
			name = ""
		}
		last = bar.Task
		try := "  "
		if bar.Try > 1 {
			try = term.Pad(fmt.Sprint(bar.Try), 2)
		}
		used[bar.mark()] = true
		waited += bar.length(true)
		v.Say("%s", strings.TrimRight(term.Pad(term.Short(name, names-1), names)+mark.Paint(v.Term, bar.mark())+try+" "+v.ganttLine(bar, axis, took), " "))
	}
	v.Say("\n%s", mark.Legend(v.Term, width, used))
	items := []string{"█ works"}
	if slices.ContainsFunc(bars, func(b GanttBar) bool { return b.Try > 1 }) {
		items = append(items, "a number: the try")
	}
	if waited >= 50*time.Millisecond { // less is 0.0s
		what := " for a slot of its pool"
		if slices.ContainsFunc(bars, func(b GanttBar) bool { return len(b.Spans) > 0 && b.Note != "" }) {
			what = "" // it is said below
		}
		items = append(items, fmt.Sprintf("░ waits%s, %s in all", what, term.Duration(waited)))
	}
	v.Say("%s", term.Flow(width, items))
	v.printTogether(r.Tasks)
	for _, bar := range bars {
		if len(bar.Spans) > 0 && bar.Note != "" {
			v.Say("%s waits for %s", bar.Task, bar.Note)
		}
	}
}

// ganttLine returns a bar on the axis and its duration, or why there is none.
func (v *View) ganttLine(bar GanttBar, axis ganttAxis, took int) string {
	if len(bar.Spans) == 0 {
		if _, known := term.Columns(v.Out); !known {
			return bar.Note
		}
		return term.Short(bar.Note, axis.width)
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
			line.WriteString(v.Paint(text.FgHiBlack, piece))
		default:
			line.WriteString(mark.Color(v.Term, bar.State, piece))
		}
		i = j
	}
	return line.String() + term.PadLeft(term.Duration(bar.length(false)), took)
}

// tickSteps holds the possible distances between two ticks of an axis.
var tickSteps = []time.Duration{
	100 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond,
	time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 15 * time.Second, 30 * time.Second,
	time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour,
}

// ticks returns the axis: a tick at each round time, and the time.
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
			line = term.Pad(line, column) + label
		}
	}
	if line == "" { // too short a time for a round one
		line = "│" + x.from.UTC().Format("15:04:05.000")
	}
	return string([]rune(line)[:min(len([]rune(line)), x.width)])
}

// step returns the shortest distance between two ticks that fits.
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
