// Package mark has the mark and the color of each state: what grid, gantt, calendar and tables have in
// common. It knows states of runs and tasks, and nothing of their dates.
package mark

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
	// Warned is a success with warnings.
	Warned run.State = "warned"
	// Partial is a success that ran before the date was over.
	Partial run.State = "partial"
	// Carried is a result that was kept from an earlier run of the date.
	Carried run.State = "carried"
)

// stateMarks holds the marks of all states, in the order of legends.
var stateMarks = []stateMark{
	{run.Success, "✓", "success"},
	{Carried, "=", "kept from an earlier run"},
	{Warned, "!", "warned: success with warnings"},
	{Partial, "◐", "partial: the date was not over"},
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

// Of returns the mark of a state.
func Of(state run.State) string {
	for _, m := range stateMarks {
		if m.state == state {
			return m.mark
		}
	}
	return "*"
}

// OfRun returns the state of a run for marks: that of a success with warnings is Warned, that of a
// partial one Partial.
func OfRun(r run.Status) run.State {
	if r.Warned() {
		return Warned
	}
	if r.Partial && r.State == run.Success {
		return Partial
	}
	return r.State
}

// OfTask returns the state of a task for marks: that of a success with warnings is Warned, that of a
// success of an earlier run Carried.
func OfTask(task run.Task) run.State {
	if task.Warned() {
		return Warned
	}
	if task.Carried && task.State == run.Success {
		return Carried
	}
	return task.State
}

// Paint returns the mark of a state in its color.
func Paint(t *term.Term, state run.State) string {
	switch state {
	case Partial, Warned:
		return t.Paint(text.FgYellow, Of(state))
	case Carried:
		return t.Paint(text.FgHiBlack, Of(state))
	}
	return Color(t, state, Of(state))
}

// Legend explains the marks that were used, in lines that fit the width.
func Legend(t *term.Term, width int, used map[run.State]bool) string {
	var items []string
	for _, m := range stateMarks {
		if used[m.state] {
			items = append(items, Paint(t, m.state)+" "+m.means)
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

// Color returns a text in the color of a state.
func Color(t *term.Term, state run.State, s string) string {
	color, ok := stateColors[state]
	if !ok {
		return s
	}
	return t.Paint(color, s)
}
