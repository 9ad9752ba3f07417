package view

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/starter/control"
	"github.com/pinflow/pinflow/starter/history"
	"github.com/pinflow/pinflow/starter/term"
	"github.com/pinflow/pinflow/starter/view/mark"
)

// BackfillRemark returns what the progress of a backfill says beside the count of dates.
func (v *View) BackfillRemark(p run.RangeProgress) string {
	var parts []string
	if p.Failed > 0 {
		parts = append(parts, fmt.Sprintf("%d failed", p.Failed))
	}
	if p.Cancelled > 0 {
		parts = append(parts, fmt.Sprintf("%d cancelled", p.Cancelled))
	}
	if len(p.Running) > 0 {
		dates := make([]string, len(p.Running))
		for i, f := range p.Running {
			dates[i] = string(f.Date)
		}
		slices.Sort(dates)
		running := dates[0]
		if len(dates) > 1 {
			running += fmt.Sprintf(" and %d more", len(dates)-1)
		}
		parts = append(parts, "running "+running)
	}
	if left, ok := p.Left(); ok && p.Done() < p.Total && !v.Live { // a progress bar estimates it itself
		parts = append(parts, "about "+term.Duration(left)+" left")
	}
	return strings.Join(parts, ", ")
}

// Backfills prints the progress of running backfills, and below them how others ended; wide adds
// their ids.
func (v *View) Backfills(all []history.BackfillStatus, wide bool) {
	g := term.Table{
		Header: []string{"from", "to", "state", "done", "failed", "cancelled", "ended (utc)", "id"}, Right: []int{3, 4, 5}, Optional: []int{5, 6},
	}
	running := 0
	for _, b := range all {
		if b.Ended.IsZero() {
			if running++; running > 1 {
				v.Say("")
			}
			v.Backfill(b)
			continue
		}
		done := ""
		if b.Total > 0 { // one that was terminated has no result
			done = fmt.Sprintf("%d/%d", b.Done(), b.Total)
		}
		g.Rows = append(g.Rows, []string{
			string(b.From), string(b.To), mark.Color(v.Term, run.State(b.Status), b.Status), done, term.Number(int64(b.Failed)), term.Number(int64(b.Cancelled)),
			term.Moment(b.Ended), b.ID,
		})
	}
	if running == 0 {
		v.Say("No backfill is running. Start one with `%s`.", v.Command("backfill --from date --to date"))
	}
	if len(g.Rows) == 0 {
		return
	}
	if !wide {
		g.Leave("id")
		g.Shrink(term.Width(v.Out))
	}
	v.Say("")
	v.PrintTable(g)
}

// Backfill prints the progress of a backfill, or how it ended.
func (v *View) Backfill(b history.BackfillStatus) {
	state := b.Status
	running := b.Ended.IsZero()
	if running && b.Paused != "" {
		state = "paused"
	}
	v.Say("%s: %s", b.ID, mark.Color(v.Term, run.State(state), state))
	switch {
	case b.Unknown != "":
		v.Say("%s", term.Indent(v.Wrapped(b.Unknown)))
	case b.Total > 0:
		line := fmt.Sprintf("  %d of %s done (%s, %d skipped)", b.Done(), term.Count(int64(b.Total), "date"), v.rangeCounts(b.RangeResult), b.Skipped)
		if running {
			line += fmt.Sprintf(", %d at a time", b.Parallel)
		}
		v.Say("%s", line)
	}
	if remark := v.BackfillRemark(b.RangeProgress); running && remark != "" {
		v.Say("  %s", remark)
	}
	if running && b.Paused != "" {
		v.Say("  %s", v.pausedBackfill(b.Paused))
	}
	if b.Stopped != "" {
		v.Say("  %s", b.Stopped)
	}
	if b.FirstError != "" && !running {
		v.Say("  %s", v.Wrapped("failed: "+failedDates(b.RangeResult)))
		v.Say("  %s", v.Wrapped("the first error: "+term.FirstLine(b.FirstError, maxLine)))
	}
	v.Say("  %s", b.UI)
}

// BackfillEnd prints how a backfill ended.
func (v *View) BackfillEnd(p run.RangeProgress, link string) {
	v.Say("%s from %s to %s: %s, %d skipped (already done)", term.Count(int64(p.Total), "date"), p.From, p.To, v.rangeCounts(p.RangeResult), p.Skipped)
	if p.Failed > 0 {
		v.Say("\nFailed: %s\n\nThe first error:\n%s\n\nSee each with `%s`; run them again with --reprocess failed.",
			failedDates(p.RangeResult), term.Indent(p.FirstError), v.Command("status <date>"))
	}
	if p.Cancelled > 0 {
		v.Say("\nCancelled dates run again with --reprocess failed, too; list them with `%s`.", v.Command(fmt.Sprintf("runs --state cancelled --from %s --to %s", p.From, p.To)))
	}
	if p.Stopped != "" {
		v.Say("\n%s did not run: %s", term.Count(int64(p.Total-p.Done()), "date"), p.Stopped)
	}
	v.Say("\nWeb UI: %s", link)
}

// Decisions prints what a backfill would decide about each date.
func (v *View) Decisions(decisions []control.DateDecision) {
	g := term.Table{Header: []string{"date", "state", "decision", "why"}}
	runs, fails := 0, 0
	for _, d := range decisions {
		decision := "skip"
		if d.Run {
			decision = "run"
			runs++
		}
		if d.Rerun != nil && d.Rerun.Error != "" {
			decision = mark.Color(v.Term, run.Failed, "fail")
			runs--
			fails++
		}
		g.Rows = append(g.Rows, []string{string(d.Date), mark.Color(v.Term, d.State, string(d.State)), decision, strings.Join(append([]string{d.Why}, remarks(d.Rerun)...), "; ")})
	}
	v.PrintTable(g)
	failing := ""
	if fails > 0 {
		failing = fmt.Sprintf(", %d would fail", fails)
	}
	v.Say("\n%s would run, %d would be skipped%s. Nothing was started.", term.Count(int64(runs), "date"), len(decisions)-runs-fails, failing)
}

// Width prints what running so many dates at a time can do, and what pools keep it from doing.
func (v *View) Width(in run.RangeInput, catalog dag.Catalog) {
	parallel, batch := in.Parallel, cmp.Or(in.Batch, run.DefaultBatch)
	slots, limited := catalog.Width(v.DAG.DAG, batch)
	var narrow []string
	for _, pool := range catalog.PoolsOf(v.DAG.DAG) {
		if pool.Slots < parallel && (batch == 1 || !v.DAG.DAG.GoesTogether(pool.Name)) {
			narrow = append(narrow, fmt.Sprintf("%s (%d)", pool.Name, pool.Slots))
		}
	}
	if len(narrow) == 0 && parallel > 1 && batch > 1 {
		v.Say("\n%s", v.Wrapped(fmt.Sprintf("%d dates at a time: those that wait for the same notebook go together, at most %d in one Databricks run.",
			parallel, min(parallel, batch))))
	}
	if len(narrow) == 0 {
		return
	}
	text := fmt.Sprintf("%d dates at a time: they wait for each other at pools with fewer slots: %s. Different tasks of different dates work at the same time; "+
		"the slowest task sets the pace.", parallel, term.Join(narrow))
	if limited && parallel > slots {
		text += fmt.Sprintf(" More than %s have no effect: the pools have no more slots.", term.Count(int64(slots), "date"))
	}
	v.Say("\n%s", v.Wrapped(text))
}

// pausedBackfill returns who paused a backfill and how to resume it.
func (v *View) pausedBackfill(by string) string {
	return fmt.Sprintf("paused by %s; `%s` continues it", by, v.Command("backfill resume"))
}

// rangeCounts returns how many dates of a range ended in which state.
func (v *View) rangeCounts(r run.RangeResult) string {
	text := mark.Color(v.Term, run.Success, fmt.Sprintf("%d success", r.Success)) + ", "
	if r.Failed == 0 {
		text += "0 failed"
	} else {
		text += mark.Color(v.Term, run.Failed, fmt.Sprintf("%d failed", r.Failed))
	}
	if r.Cancelled > 0 {
		text += ", " + mark.Color(v.Term, run.Cancelled, fmt.Sprintf("%d cancelled", r.Cancelled))
	}
	return text
}

func failedDates(r run.RangeResult) string {
	names := make([]string, len(r.FailedDates))
	for i, date := range r.FailedDates {
		names[i] = string(date)
	}
	if more := r.Failed - len(names); more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(names, ", ")
}
