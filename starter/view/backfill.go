package view

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/starter/control"
	"github.com/pinflow/pinflow/starter/history"
	"github.com/pinflow/pinflow/starter/term"
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

// Backfills prints the progress of backfills.
func (v *View) Backfills(all []history.BackfillStatus) {
	if len(all) == 0 {
		v.Say("No backfill is running. Start one with `%s`.", v.Command("backfill --from date --to date"))
	}
	for i, b := range all {
		if i > 0 {
			v.Say("")
		}
		state := b.Status
		running := state == string(run.Running)
		if running && b.Paused != "" {
			state = "paused"
		}
		v.Say("%s: %s", b.ID, state)
		v.Say("  %d of %s done (%s, %d skipped), %d at a time", b.Done(), term.Count(int64(b.Total), "date"), v.rangeCounts(b.RangeResult), b.Skipped, b.Parallel)
		if remark := v.BackfillRemark(b.RangeProgress); running && remark != "" {
			v.Say("  %s", remark)
		}
		if running && b.Paused != "" {
			v.Say("  %s", v.pausedBackfill(b.Paused))
		}
		if b.Stopped != "" {
			v.Say("  %s", b.Stopped)
		}
		v.Say("  %s", b.UI)
	}
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
			decision = v.PaintState(run.Failed, "fail")
			runs--
			fails++
		}
		g.Rows = append(g.Rows, []string{string(d.Date), v.PaintState(d.State, string(d.State)), decision, strings.Join(append([]string{d.Why}, remarks(d.Rerun)...), "; ")})
	}
	v.PrintTable(g)
	failing := ""
	if fails > 0 {
		failing = fmt.Sprintf(", %d would fail", fails)
	}
	v.Say("\n%d dates would run, %d would be skipped%s. Nothing was started.", runs, len(decisions)-runs-fails, failing)
}

// pausedBackfill returns who paused a backfill and how to resume it.
func (v *View) pausedBackfill(by string) string {
	return fmt.Sprintf("paused by %s; `%s` continues it", by, v.Command("backfill resume"))
}

// rangeCounts returns how many dates of a range ended in which state.
func (v *View) rangeCounts(r run.RangeResult) string {
	text := v.PaintState(run.Success, fmt.Sprintf("%d success", r.Success)) + ", "
	if r.Failed == 0 {
		text += "0 failed"
	} else {
		text += v.PaintState(run.Failed, fmt.Sprintf("%d failed", r.Failed))
	}
	if r.Cancelled > 0 {
		text += ", " + v.PaintState(run.Cancelled, fmt.Sprintf("%d cancelled", r.Cancelled))
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
