package view

import (
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/starter/term"
)

// stateMark is the mark of a state: one character, so that states differ without colors.
type stateMark struct {
	state run.State
	mark  string
	means string
}

// States that only marks have.
const (
	// PartialRun is a success that ran before the date was over.
	PartialRun run.State = "partial"
	// CarriedTask is a result that was kept from an earlier run of the date.
	CarriedTask run.State = "carried"
)

// stateMarks holds the marks of all states, in the order of legends.
var stateMarks = []stateMark{
	{run.Success, "✓", "success"},
	{CarriedTask, "=", "kept from an earlier run"},
	{Warned, "!", "warned: success with warnings"},
	{PartialRun, "◐", "partial: the date was not over"},
	{run.Failed, "✗", "failed"},
	{run.Cancelled, "⊘", "cancelled"},
	{run.UpstreamFailed, "↑", "upstream_failed"},
	{run.Skipped, "-", "skipped"},
	{run.Blocked, "#", "blocked: its workflow task fails"},
	{run.Held, "?", "held: waits for a decision"},
	{run.UpForRetry, "↻", "up_for_retry"},
	{run.Running, "►", "running"},
	{run.Queued, "…", "queued"},
	{run.None, "·", "none"},
}

// markOf returns the mark of a state.
func markOf(state run.State) string {
	for _, m := range stateMarks {
		if m.state == state {
			return m.mark
		}
	}
	return "*"
}

// RunMark returns the state of a run for marks: that of a success with warnings is Warned, that of a
// partial one PartialRun.
func RunMark(r run.Status) run.State {
	if r.Warned() {
		return Warned
	}
	if r.Partial && r.State == run.Success {
		return PartialRun
	}
	return r.State
}

// taskMark returns the state of a task for marks: that of a success with warnings is Warned, that of
// a success of an earlier run CarriedTask.
func taskMark(task run.Task) run.State {
	if task.Warned() {
		return Warned
	}
	if task.Carried && task.State == run.Success {
		return CarriedTask
	}
	return task.State
}

// paintMark returns the mark of a state in its color.
func (v *View) paintMark(state run.State) string {
	switch state {
	case PartialRun, Warned:
		return v.Paint(text.FgYellow, markOf(state))
	case CarriedTask:
		return v.Paint(text.FgHiBlack, markOf(state))
	}
	return v.PaintState(state, markOf(state))
}

// legend explains the marks that were used, in lines that fit the width.
func (v *View) legend(width int, used map[run.State]bool) string {
	var items []string
	for _, m := range stateMarks {
		if used[m.state] {
			items = append(items, v.paintMark(m.state)+" "+m.means)
		}
	}
	return term.Flow(width, items)
}

// stateColors holds the colors of states.
var stateColors = map[run.State]text.Color{
	run.Success:        text.FgGreen,
	run.Failed:         text.FgRed,
	run.Blocked:        text.FgRed,
	run.Cancelled:      text.FgYellow,
	run.UpstreamFailed: text.FgYellow,
	run.UpForRetry:     text.FgYellow,
	run.Held:           text.FgMagenta,
	run.Running:        text.FgCyan,
	run.Queued:         text.FgHiBlack,
	run.Skipped:        text.FgHiBlack,
	run.None:           text.FgHiBlack,
}

// PaintState returns a text in the color of a state.
func (v *View) PaintState(state run.State, s string) string {
	color, ok := stateColors[state]
	if !ok {
		return s
	}
	return v.Paint(color, s)
}
