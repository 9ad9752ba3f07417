package main

import (
	"strings"
	"unicode/utf8"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/pinflow/pinflow/internal/run"
)

// stateMark is a state as one character, so that states can be told apart without colours.
type stateMark struct {
	state run.State
	mark  string
	means string
}

// Marks that are no state of a task.
const (
	// partialRun is a success that saw the date before it was over.
	partialRun run.State = "partial"
	// carriedTask is a result that an earlier run of the date made.
	carriedTask run.State = "carried"
)

// stateMarks are the marks of all states, in the order of legends.
var stateMarks = []stateMark{
	{run.Success, "✓", "success"},
	{carriedTask, "=", "carried over from an earlier run"},
	{partialRun, "◐", "partial: the date was not over"},
	{run.Failed, "✗", "failed"},
	{run.UpstreamFailed, "↑", "upstream_failed"},
	{run.Skipped, "-", "skipped"},
	{run.Held, "?", "held: waits for a decision"},
	{run.UpForRetry, "↻", "up_for_retry"},
	{run.Running, "►", "running"},
	{run.Queued, "…", "queued"},
	{run.None, "·", "none"},
}

// markOf is the mark of a state.
func markOf(state run.State) string {
	for _, m := range stateMarks {
		if m.state == state {
			return m.mark
		}
	}
	return "!"
}

// runMark is the state of a run for marks: a partial success is one of its own.
func runMark(r run.Status) run.State {
	if r.Partial && r.State == run.Success {
		return partialRun
	}
	return r.State
}

// taskMark is the state of a task for marks: a success that was carried over is one of its own.
func taskMark(task run.Task) run.State {
	if task.Carried && task.State == run.Success {
		return carriedTask
	}
	return task.State
}

// paintMark writes a state's mark in its colour.
func (a *app) paintMark(state run.State) string {
	switch state {
	case partialRun:
		return a.paint(text.FgYellow, markOf(state))
	case carriedTask:
		return a.paint(text.FgHiBlack, markOf(state))
	}
	return a.paintState(state, markOf(state))
}

// legend explains the marks that were used, in lines of at most so many characters.
func (a *app) legend(width int, used map[run.State]bool) string {
	var items []string
	for _, m := range stateMarks {
		if used[m.state] {
			items = append(items, a.paintMark(m.state)+" "+m.means)
		}
	}
	return flow(width, items)
}

// flow joins items with blanks, in lines of at most so many characters.
func flow(width int, items []string) string {
	var b strings.Builder
	at := 0
	for _, item := range items {
		length := text.StringWidthWithoutEscSequences(item)
		switch {
		case at == 0:
		case at+3+length > width:
			b.WriteString("\n")
			at = 0
		default:
			b.WriteString("   ")
			at += 3
		}
		b.WriteString(item)
		at += length
	}
	return b.String()
}

// pad fills a text up to a width with blanks; colours do not count.
func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-text.StringWidthWithoutEscSequences(s)))
}

// padLeft is pad with the text at the right.
func padLeft(s string, width int) string {
	return strings.Repeat(" ", max(0, width-text.StringWidthWithoutEscSequences(s))) + s
}

// short cuts a text to so many characters, and shows that it did.
func short(s string, width int) string {
	if utf8.RuneCountInString(s) <= width {
		return s
	}
	return string([]rune(s)[:max(0, width-1)]) + "…"
}
