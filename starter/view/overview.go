package view

import (
	"cmp"
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

// gapIndent is as wide as the date and the state before the cause of a gap.
const gapIndent = "                       "

// Overview prints the overview, in lines that fit the screen.
func (v *View) Overview(o *history.Overview) {
	width := term.Width(v.Out)
	v.showScheduleNow(o)
	v.showGaps(o, width)
	v.showWarned(o.Warned, width)
	v.showRunning(o, width)
	v.showBackfills(o.Backfills, width)
	v.showPools(o.Pools, width)
	for _, unknown := range o.Unknown {
		v.Say("\n%s %s\n%s", v.Heading("not known"), unknown.What, term.Indent(term.WrapLine(unknown.Why, width-2)))
	}
}

func (v *View) showScheduleNow(o *history.Overview) {
	name := v.Paint(text.Bold, o.DAG)
	if o.Deployment != run.DefaultDeployment {
		name += fmt.Sprintf(" (deployment %s)", o.Deployment)
	}
	s := o.Schedule
	switch {
	case s == nil && o.Lost != nil:
		v.Say("%s", name)
		return
	case s == nil:
		v.Say("%s: no Schedule; create it with `%s`", name, v.Command("schedule apply"))
		return
	case s.Paused:
		v.Say("%s: %s (%s)\n  resume it with `%s`", name, v.activity(true), cmp.Or(s.Note, "no reason given"), v.Command("schedule resume"))
	case s.Next == nil:
		v.Say("%s: %s, but it does not fire again: apply another one with `%s`", name, v.activity(false), v.Command("schedule apply"))
	default:
		v.Say("%s: %s, fires next at %s UTC for %s", name, v.activity(false), term.Moment(s.Next.At), s.Next.Date)
	}
	if s.Differs {
		v.Say("  it differs from the settings: see `%s`", v.Command("schedule show"))
	}
}

func (v *View) showGaps(o *history.Overview, width int) {
	if o.Lost != nil {
		return
	}
	found := "none"
	if len(o.Gaps) > 0 {
		found = term.Count(int64(len(o.Gaps)), "date")
	}
	v.Say("\n%s %s since %s", v.Heading("gaps"), found, o.Since)
	if o.Expected.After(o.Since) {
		v.Say("%s", term.Indent(term.WrapLine(o.Expected.String(), width-2)))
	}
	for _, g := range o.Gaps {
		color := text.FgYellow
		if g.State == history.GapFailed || g.State == history.GapBlocked || g.Overdue {
			color = text.FgRed
		}
		v.Say("%s  %s  %s", g.Date, v.Paint(color, fmt.Sprintf("%-9s", g.State)), term.FirstLine(g.Cause, width-len(gapIndent)))
		command := g.Command
		if g.Overdue { // as a comment of the shell: the line can be copied
			command += fmt.Sprintf("  # deadline %s", g.Deadline.UTC().Format("01-02 15:04"))
		}
		v.Say("%s%s", gapIndent, command)
	}
	for _, s := range neighbours(o.Gaps) {
		v.Say("%s to %s together:\n  %s", s.From, s.To, v.Command(s.BackfillArgs()))
	}
}

// neighbours returns the spans of two or more gaps that one backfill fills.
func neighbours(gaps []history.Gap) []*history.DateSpan {
	var all []*history.DateSpan
	for _, g := range gaps {
		if g.State == history.GapOverdue || g.State == history.GapBlocked { // it is open
			continue
		}
		if last := len(all) - 1; last >= 0 && all[last].To.Add(1) == g.Date {
			all[last] = history.DatesFrom(all[last].From, g.Date)
			continue
		}
		all = append(all, history.DatesFrom(g.Date, g.Date))
	}
	return slices.DeleteFunc(all, func(s *history.DateSpan) bool { return s.Dates < 2 })
}

func (v *View) showRunning(o *history.Overview, width int) {
	if len(o.Running) == 0 {
		v.Say("\n%s none", v.Heading("running"))
		return
	}
	v.Say("\n%s %d", v.Heading("running"), len(o.Running)+o.RunningMore)
	g := term.Table{Header: []string{"date", "state", "trigger", "for", "now"}, Right: []int{3}}
	for _, r := range o.Running {
		state := string(r.State)
		if r.Partial {
			state += ", partial"
		}
		g.Rows = append(g.Rows, []string{string(r.Date), mark.Color(v.Term, r.State, state), string(r.Trigger), v.Took(r.Started, time.Time{}), strings.ReplaceAll(strings.Join(r.Now, "\n"), "a slot of pool ", "pool ")})
	}
	v.FitTable(&g, 4, width)
	v.PrintTable(g)
	if o.RunningMore > 0 {
		v.Say("and %d more: see `%s`", o.RunningMore, v.Command("runs --state running"))
	}
	if slices.ContainsFunc(o.Running, func(r history.RunNow) bool { return r.State == run.Blocked }) {
		v.Say("%s", term.WrapLine(fmt.Sprintf("Blocked: deploy workers of a build that can run it, or `%s`", v.Command("terminate <date> --reason text")), width))
	}
	if slices.ContainsFunc(o.Running, func(r history.RunNow) bool { return r.State == run.Held }) {
		v.Say("Decide with `%s`", v.Command("task retry|skip|fail|succeed <date> <task> --reason …"))
	}
}

func (v *View) showBackfills(all []history.BackfillNow, width int) {
	if len(all) == 0 {
		return
	}
	v.Say("\n%s %d", v.Heading("backfills"), len(all))
	var below []string
	g := term.Table{Header: []string{"from", "to", "done", "failed", "width", "left", "now"}, Right: []int{2, 3, 4, 5}}
	for _, b := range all {
		p := b.Progress
		if p == nil {
			line := fmt.Sprintf("%s, for %s", b.WorkflowID, v.Took(b.Started, time.Time{}))
			if b.Blocked != nil {
				line += ", " + mark.Color(v.Term, run.Blocked, "blocked") + ": " + b.Blocked.String()
			}
			below = append(below, line)
			continue
		}
		left, now := "", fmt.Sprintf("%s running", term.Count(int64(len(p.Running)), "date"))
		if b.Left != nil {
			left = term.Duration(time.Duration(*b.Left * float64(time.Second)))
		}
		switch {
		case p.Stopped != "":
			now = "stopped, " + now
			below = append(below, fmt.Sprintf("%s to %s: %s", p.From, p.To, p.Stopped))
		case p.Paused != "":
			now = "paused, " + now
			below = append(below, fmt.Sprintf("%s to %s: %s", p.From, p.To, v.pausedBackfill(p.Paused)))
		}
		failed := ""
		if p.Failed > 0 {
			failed = mark.Color(v.Term, run.Failed, fmt.Sprint(p.Failed))
		}
		g.Rows = append(g.Rows, []string{string(p.From), string(p.To), fmt.Sprintf("%d/%d", p.Done(), p.Total), failed, fmt.Sprint(p.Parallel), left, now})
	}
	if len(g.Rows) > 0 {
		v.FitTable(&g, 6, width)
		v.PrintTable(g)
	}
	for _, line := range below {
		v.Say("%s", term.WrapLine(line, width))
	}
}

// maxWork is how many tasks at work are listed for a pool.
const maxWork = 3

func (v *View) showPools(all []history.PoolNow, width int) {
	if len(all) == 0 {
		return
	}
	g := term.Table{Header: []string{"pool", "slots", "at work", "wait", "next"}, Right: []int{3}}
	var idle []string
	for _, p := range all {
		switch {
		case p.Unknown:
			g.Rows = append(g.Rows, []string{p.Name, fmt.Sprintf("?/%d", p.Slots), "not known"})
		case p.Taken+len(p.Waiting) == 0:
			idle = append(idle, fmt.Sprintf("%s (%d)", p.Name, p.Slots))
		default:
			g.Rows = append(g.Rows, v.poolRows(p)...)
		}
	}
	if len(g.Rows) == 0 {
		v.Say("\n%s all idle: %s", v.Heading("pools"), term.Join(idle))
		return
	}
	v.Say("\n%s", v.Heading("pools"))
	v.FitTable(&g, 4, width)
	v.PrintTable(g)
	if len(idle) > 0 {
		v.Say("idle: %s", term.Join(idle))
	}
}

// poolRows returns the rows of a pool in use, one for each task at work.
func (v *View) poolRows(p history.PoolNow) [][]string {
	row := []string{p.Name, fmt.Sprintf("%d/%d", p.Taken, p.Slots), "", "", ""}
	if len(p.Waiting) > 0 {
		row[3], row[4] = fmt.Sprint(len(p.Waiting)), v.poolTask(p.Waiting[0])
	}
	rows := [][]string{row}
	for i, name := range v.workNames(p) {
		if i == 0 {
			rows[0][2] = name
			continue
		}
		rows = append(rows, []string{"", "", name})
	}
	return rows
}

// workNames returns the tasks at work, and those for which slots are kept.
func (v *View) workNames(p history.PoolNow) []string {
	var names []string
	for i, task := range p.Work {
		if i == maxWork {
			names = append(names, fmt.Sprintf("and %d more", len(p.Work)-maxWork))
			break
		}
		names = append(names, v.poolTask(task))
	}
	for _, task := range p.Announced {
		names = append(names, "kept for "+v.poolRun(task))
	}
	return names
}

// poolTask returns the date of the run, the task and its try.
func (v *View) poolTask(t history.PoolTask) string {
	return fmt.Sprintf("%s %s #%d", v.poolRun(t), t.Task, t.Try)
}

// poolRun returns the date of the run, and its DAG if it is another one.
func (v *View) poolRun(t history.PoolTask) string {
	if t.DAG != v.DAG.Name {
		return t.DAG + " " + string(t.Date)
	}
	return string(t.Date)
}
