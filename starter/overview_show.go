package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/pinflow/pinflow/internal/run"
)

// gapIndent is where the cause of a gap begins: behind its date and state.
const gapIndent = "                     "

// showOverview prints the overview, no line wider than the reader's screen.
func (a *app) showOverview(o *overview) {
	width, _ := columns(a.stdout)
	a.showScheduleNow(o)
	a.showGaps(o, width)
	a.showRunning(o, width)
	a.showBackfills(o.Backfills, width)
	a.showPools(o.Pools, width)
	for _, unknown := range o.Unknown {
		a.say("\n%s %s\n%s", a.heading("not known"), unknown.What, indent(wrapLine(unknown.Why, width-2)))
	}
}

func (a *app) showScheduleNow(o *overview) {
	name := a.paint(text.Bold, o.DAG)
	s := o.Schedule
	switch {
	case s == nil && o.lost != nil:
		a.say("%s", name)
		return
	case s == nil:
		a.say("%s: no Schedule; create it with `starter schedule apply`", name)
		return
	case s.Paused:
		a.say("%s: %s (%s)\n  resume it with `starter schedule resume`", name, a.activity(true), orNothing(s.Note))
	case s.Next == nil:
		a.say("%s: %s, but it does not fire any more: `starter schedule apply`", name, a.activity(false))
	default:
		a.say("%s: %s, fires next at %s UTC for %s", name, a.activity(false), moment(s.Next.At), s.Next.Date)
	}
	if s.Differs {
		a.say("  it differs from the settings: see `starter schedule show`")
	}
}

func (a *app) showGaps(o *overview, width int) {
	if o.lost != nil {
		return
	}
	if len(o.Gaps) == 0 {
		a.say("\n%s none since %s", a.heading("gaps"), o.Since)
		return
	}
	a.say("\n%s %s since %s", a.heading("gaps"), count(int64(len(o.Gaps)), "date"), o.Since)
	for _, g := range o.Gaps {
		colour := text.FgYellow
		if g.State == gapFailed || g.Overdue {
			colour = text.FgRed
		}
		a.say("%s  %s  %s", g.Date, a.paint(colour, fmt.Sprintf("%-7s", g.State)), firstLine(g.Cause, width-len(gapIndent)))
		command := g.Command
		if g.Overdue { // as a comment of the shell: the line can be copied
			command += fmt.Sprintf("  # was due %s", g.Due.UTC().Format("01-02 15:04"))
		}
		a.say("%s%s", gapIndent, command)
	}
	for _, s := range neighbours(o.Gaps) {
		a.say("%s to %s at once:\n  %s", s.From, s.To, s.command())
	}
}

// neighbours are the spans of two gaps and more that one backfill fills.
func neighbours(gaps []gap) []*span {
	var all []*span
	for _, g := range gaps {
		if g.State == gapOverdue { // it runs already
			continue
		}
		if last := len(all) - 1; last >= 0 && all[last].To.Add(1) == g.Date {
			all[last] = spanOf(all[last].From, g.Date)
			continue
		}
		all = append(all, spanOf(g.Date, g.Date))
	}
	return slices.DeleteFunc(all, func(s *span) bool { return s.Dates < 2 })
}

func (a *app) heading(s string) string { return a.paint(text.Bold, strings.ToUpper(s)+":") }

func (a *app) showRunning(o *overview, width int) {
	if len(o.Running) == 0 {
		a.say("\n%s none", a.heading("running"))
		return
	}
	a.say("\n%s %d", a.heading("running"), len(o.Running)+o.RunningMore)
	g := grid{header: []string{"date", "state", "trigger", "for", "now"}, right: []int{3}}
	for _, r := range o.Running {
		state := r.State
		if r.Partial {
			state += ", partial"
		}
		g.rows = append(g.rows, []string{string(r.Date), a.paintState(run.State(r.State), state), r.Trigger, a.took(r.Started, time.Time{}), strings.ReplaceAll(strings.Join(r.Now, "\n"), "a slot of pool ", "pool ")})
	}
	a.fitGrid(&g, 4, width)
	a.printGrid(g)
	if o.RunningMore > 0 {
		a.say("and %d more: see `starter runs --state running`", o.RunningMore)
	}
	if slices.ContainsFunc(o.Running, func(r runNow) bool { return r.State == string(run.Held) }) {
		a.say("Decide with `starter task retry|skip|fail|succeed <date> <task> --reason …`")
	}
}

func (a *app) showBackfills(all []backfillNow, width int) {
	if len(all) == 0 {
		return
	}
	a.say("\n%s %d", a.heading("backfills"), len(all))
	var below []string
	g := grid{header: []string{"from", "to", "done", "failed", "width", "left", "now"}, right: []int{2, 3, 4, 5}}
	for _, b := range all {
		p := b.Progress
		if p == nil {
			below = append(below, fmt.Sprintf("%s, for %s", b.WorkflowID, a.took(b.Started, time.Time{})))
			continue
		}
		left, now := "", fmt.Sprintf("%s running", count(int64(len(p.Running)), "date"))
		if b.Left != nil {
			left = duration(time.Duration(*b.Left * float64(time.Second)))
		}
		switch {
		case p.Stopped != "":
			now = "stopped, " + now
			below = append(below, fmt.Sprintf("%s to %s: %s", p.From, p.To, p.Stopped))
		case p.Paused != "":
			now = "paused, " + now
			below = append(below, fmt.Sprintf("%s to %s: %s", p.From, p.To, pausedBackfill(p.Paused)))
		}
		failed := ""
		if p.Failed > 0 {
			failed = a.paintState(run.Failed, fmt.Sprint(p.Failed))
		}
		g.rows = append(g.rows, []string{string(p.From), string(p.To), fmt.Sprintf("%d/%d", p.Done(), p.Total), failed, fmt.Sprint(p.Parallel), left, now})
	}
	if len(g.rows) > 0 {
		a.fitGrid(&g, 6, width)
		a.printGrid(g)
	}
	for _, line := range below {
		a.say("%s", wrapLine(line, width))
	}
}

// maxHolders is how many holders of a pool are named.
const maxHolders = 3

func (a *app) showPools(all []poolNow, width int) {
	g := grid{header: []string{"pool", "slots", "held by", "wait", "next"}, right: []int{3}}
	var idle []string
	for _, p := range all {
		switch {
		case p.Unknown:
			g.rows = append(g.rows, []string{p.Name, fmt.Sprintf("?/%d", p.Slots), "not known"})
		case len(p.Holders)+len(p.Waiting) == 0:
			idle = append(idle, fmt.Sprintf("%s (%d)", p.Name, p.Slots))
		default:
			g.rows = append(g.rows, poolRows(p)...)
		}
	}
	if len(g.rows) == 0 {
		a.say("\n%s all idle: %s", a.heading("pools"), join(idle))
		return
	}
	a.say("\n%s", a.heading("pools"))
	a.fitGrid(&g, 4, width)
	a.printGrid(g)
	if len(idle) > 0 {
		a.say("idle: %s", join(idle))
	}
}

// poolRows are a busy pool's rows: one for each holder.
func poolRows(p poolNow) [][]string {
	row := []string{p.Name, fmt.Sprintf("%d/%d", len(p.Holders), p.Slots), "", "", ""}
	if len(p.Waiting) > 0 {
		row[3], row[4] = fmt.Sprint(len(p.Waiting)), slotName(p.Waiting[0])
	}
	rows := [][]string{row}
	for i, name := range holderNames(p) {
		if i == 0 {
			rows[0][2] = name
			continue
		}
		rows = append(rows, []string{"", "", name})
	}
	return rows
}

// holderNames are who holds the pool's slots, and for whom others are kept free.
func holderNames(p poolNow) []string {
	var names []string
	for i, holder := range p.Holders {
		if i == maxHolders {
			names = append(names, fmt.Sprintf("and %d more", len(p.Holders)-maxHolders))
			break
		}
		names = append(names, slotName(holder))
	}
	for _, announced := range p.Announced {
		names = append(names, "kept for "+slotRun(announced.Slot))
	}
	return names
}

// slotName is who holds or wants a slot: the run's date, the task and its try.
func slotName(s run.Slot) string {
	return fmt.Sprintf("%s %s #%d", slotRun(s), s.Task, s.Try)
}

// slotRun is the date of the run that holds or wants a slot.
func slotRun(s run.Slot) string { return strings.TrimPrefix(s.WorkflowID, dailyName+"-") }

// fitGrid cuts the lines in the last column of a table so that its rows are no wider than the screen.
func (a *app) fitGrid(g *grid, last, width int) {
	const padding = 3
	taken := 0
	for column := range last {
		widest := text.StringWidthWithoutEscSequences(g.header[column])
		for _, row := range g.rows {
			if column < len(row) && len(row) > 1 {
				widest = max(widest, text.StringWidthWithoutEscSequences(row[column]))
			}
		}
		taken += widest + padding
	}
	for _, row := range g.rows {
		if len(row) > last {
			var lines []string
			for line := range strings.SplitSeq(row[last], "\n") {
				lines = append(lines, firstLine(line, max(10, width-taken)))
			}
			row[last] = strings.Join(lines, "\n")
		}
	}
}
