package main

import (
	"slices"
	"time"

	"github.com/pinflow/pinflow/internal/run"
)

// ganttSpan is a time in which a try worked, or waited for a slot of its pool.
type ganttSpan struct {
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	Waiting bool      `json:"waiting,omitempty"`
}

// ganttBar is a try of a task.
type ganttBar struct {
	Task  string    `json:"task"`
	Try   int       `json:"try,omitempty"`
	State run.State `json:"state"`
	// Spans are none if nothing was done in this run; Note then says why.
	Spans []ganttSpan `json:"spans"`
	Note  string      `json:"note,omitempty"`
}

// length is how long the bar's spans are, all of them or those that wait.
func (b ganttBar) length(waiting bool) time.Duration {
	sum := time.Duration(0)
	for _, s := range b.Spans {
		if s.Waiting || !waiting {
			sum += s.To.Sub(s.From)
		}
	}
	return sum
}

// longest is the bar's longest span.
func (b ganttBar) longest() ganttSpan {
	return slices.MaxFunc(b.Spans, func(x, y ganttSpan) int { return int(x.To.Sub(x.From) - y.To.Sub(y.From)) })
}

// ganttBars are the bars of a run, task by task. A task without tries has one that is empty.
func (a *app) ganttBars(run dateRun) []ganttBar {
	bars := []ganttBar{}
	for _, task := range run.Tasks {
		bars = append(bars, a.taskBars(run, task)...)
	}
	return bars
}

func (a *app) taskBars(r dateRun, task run.Task) []ganttBar {
	if task.Carried {
		return []ganttBar{{Task: task.ID, State: carriedTask, Spans: []ganttSpan{}, Note: "from an earlier run, " + moment(task.Ended)}}
	}
	var bars []ganttBar
	begun := task.Started // of the wait for the next try
	for _, try := range task.History {
		if try.Ended.Before(r.Started) { // of an earlier run of the date
			continue
		}
		bars, begun = append(bars, tryBar(task.ID, try, try.Ended)), try.Ended
	}
	switch going := r.Ended.IsZero(); {
	case going && task.Trying != nil:
		bar := tryBar(task.ID, *task.Trying, a.now())
		bar.State, bar.Note = task.State, task.Waiting
		bars = append(bars, bar)
	case going && task.State == run.Queued: // for its past, or for the run to be resumed
		bar := ganttBar{Task: task.ID, Try: task.Tries + 1, State: task.State, Note: task.Waiting}
		bar.add(begun, a.now(), true)
		bars = append(bars, bar)
	case len(bars) == 0 && !task.Started.IsZero() && !task.Ended.IsZero(): // an entry of the ledger that has no tries
		bar := ganttBar{Task: task.ID, Try: max(1, task.Tries), State: task.State}
		bar.add(task.Started, task.Ended, false)
		bars = append(bars, bar)
	case len(bars) == 0:
		bars = append(bars, ganttBar{Task: task.ID, State: task.State, Spans: []ganttSpan{}, Note: string(task.State)})
	case task.State == run.UpForRetry || task.State == run.Held:
		bars[len(bars)-1].State = task.State
	}
	return bars
}

// tryBar is the bar of a try up to its end.
func tryBar(task string, try run.Try, end time.Time) ganttBar {
	bar := ganttBar{Task: task, Try: try.Number, State: run.State(try.State)}
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

// add appends a span, if it is one.
func (b *ganttBar) add(from, to time.Time, waiting bool) {
	if to.After(from) || len(b.Spans) == 0 && !waiting && to.Equal(from) {
		b.Spans = append(b.Spans, ganttSpan{from, to, waiting})
	}
}
