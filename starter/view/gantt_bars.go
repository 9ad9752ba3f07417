package view

import (
	"slices"
	"time"

	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/starter/history"
	"github.com/pinflow/pinflow/starter/term"
	"github.com/pinflow/pinflow/starter/view/mark"
)

// GanttSpan is a time in which a try ran, or waited for a slot of its pool.
type GanttSpan struct {
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	Waiting bool      `json:"waiting,omitempty"`
}

// GanttBar is the bar of a try of a task.
type GanttBar struct {
	Task  string    `json:"task"`
	Try   int       `json:"try,omitempty"`
	State run.State `json:"state"`
	// Warned reports whether the try succeeded with warnings.
	Warned bool `json:"warned,omitempty"`
	// Spans is empty if the task did not run in this run; Note says why.
	Spans []GanttSpan `json:"spans"`
	Note  string      `json:"note,omitempty"`
}

// mark returns the state of the bar for marks.
func (b GanttBar) mark() run.State {
	if b.Warned {
		return mark.Warned
	}
	return b.State
}

// length returns the duration of the bar's spans, of all or of those that wait.
func (b GanttBar) length(waiting bool) time.Duration {
	sum := time.Duration(0)
	for _, s := range b.Spans {
		if s.Waiting || !waiting {
			sum += s.To.Sub(s.From)
		}
	}
	return sum
}

// longest returns the longest span of the bar.
func (b GanttBar) longest() GanttSpan {
	return slices.MaxFunc(b.Spans, func(x, y GanttSpan) int { return int(x.To.Sub(x.From) - y.To.Sub(y.From)) })
}

// GanttBars returns the bars of a run, task by task. A task without tries has an empty one.
func (v *View) GanttBars(run history.Run) []GanttBar {
	bars := []GanttBar{}
	for _, task := range run.Tasks {
		bars = append(bars, v.taskBars(run, task)...)
	}
	return bars
}

func (v *View) taskBars(r history.Run, task run.Task) []GanttBar {
	bars := v.barsOf(r, task)
	if task.Warned() {
		bars[len(bars)-1].Warned = true
	}
	return bars
}

// barsOf returns the bars of a task, whether or not it warns.
func (v *View) barsOf(r history.Run, task run.Task) []GanttBar {
	if task.Carried {
		return []GanttBar{{Task: task.ID, State: mark.Carried, Spans: []GanttSpan{}, Note: "from an earlier run, " + term.Moment(task.Ended)}}
	}
	var bars []GanttBar
	begun := task.Started // of the wait for the next try
	for _, try := range task.History {
		if try.Ended.Before(r.Started) { // of an earlier run of the date
			continue
		}
		bars, begun = append(bars, tryBar(task.ID, try, try.Ended)), try.Ended
	}
	switch open := r.Ended.IsZero(); {
	case open && task.Trying != nil:
		bar := tryBar(task.ID, *task.Trying, v.Now())
		bar.State, bar.Note = task.State, task.Waiting
		bars = append(bars, bar)
	case open && task.State == run.Queued: // for its past, or for the run to be resumed
		bar := GanttBar{Task: task.ID, Try: task.Tries + 1, State: task.State, Note: task.Waiting}
		bar.add(begun, v.Now(), true)
		bars = append(bars, bar)
	case len(bars) == 0 && !task.Started.IsZero() && !task.Ended.IsZero(): // an entry of the ledger that has no tries
		bar := GanttBar{Task: task.ID, Try: max(1, task.Tries), State: task.State}
		bar.add(task.Started, task.Ended, false)
		bars = append(bars, bar)
	case len(bars) == 0:
		bars = append(bars, GanttBar{Task: task.ID, State: task.State, Spans: []GanttSpan{}, Note: string(task.State)})
	case task.State == run.UpForRetry || task.State == run.Held:
		bars[len(bars)-1].State = task.State
	}
	return bars
}

// tryBar returns the bar of a try up to its end.
func tryBar(task string, try run.Try, end time.Time) GanttBar {
	bar := GanttBar{Task: task, Try: try.Number, State: try.State}
	orEnd := func(t time.Time) time.Time {
		if t.IsZero() {
			return end
		}
		return t
	}
	queued, granted := orEnd(try.Queued), orEnd(try.Granted)
	bar.add(try.Started, queued, false)
	bar.add(queued, granted, true)
	bar.add(granted, end, false)
	return bar
}

// add appends a span unless it is empty.
func (b *GanttBar) add(from, to time.Time, waiting bool) {
	if to.After(from) || len(b.Spans) == 0 && !waiting && to.Equal(from) {
		b.Spans = append(b.Spans, GanttSpan{from, to, waiting})
	}
}
