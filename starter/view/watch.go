package view

import (
	"fmt"
	"os"

	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/starter/history"
	"github.com/pinflow/pinflow/starter/term"
	"github.com/pinflow/pinflow/starter/view/mark"
)

// Watcher returns what shows a run that is followed: a table that is redrawn on a terminal, lines
// elsewhere.
func (v *View) Watcher() history.Watcher {
	if v.Live && os.Getenv("TERM") != "dumb" {
		return &liveRun{view: v, screen: term.Screen{W: v.Err}}
	}
	return &lineRun{view: v, shown: map[string]string{}}
}

// lineRun writes a line for each change of a task, for logs and pipes.
type lineRun struct {
	view    *View
	shown   map[string]string // by task: the state that was written last
	paused  string
	waiting bool // that the run does not answer has been written
}

// Show writes a line for each task that has changed.
func (t *lineRun) Show(status run.Status, _ history.Landing) {
	t.waiting = false
	if status.Paused != t.paused {
		t.paused = status.Paused
		t.view.Log("%s", t.view.pausedLine(status))
	}
	for _, task := range status.Tasks {
		change := fmt.Sprint(task.State, task.Tries, task.Waiting)
		if change == t.shown[task.ID] || task.State == run.None && task.Waiting == "" {
			continue
		}
		t.shown[task.ID] = change
		t.view.Log("%s", t.view.taskLine(task))
	}
}

// NoAnswer writes once why the run does not answer.
func (t *lineRun) NoAnswer(err error) {
	if !t.waiting {
		t.waiting = true
		t.view.Log("%v; waiting", err)
	}
}

// ShowsLanding returns false: lines do not show the landing.
func (t *lineRun) ShowsLanding() bool { return false }

// End does nothing: lines remain.
func (t *lineRun) End() {}

// Leave does nothing: lines remain.
func (t *lineRun) Leave() {}

// pausedLine returns who paused a run and how to resume it, or that it was resumed.
func (v *View) pausedLine(status run.Status) string {
	if status.Paused == "" {
		return "resumed"
	}
	return fmt.Sprintf("paused by %s; `%s` continues it", status.Paused, v.Command("resume "+string(status.Date)))
}

// taskLine describes a task in one line.
func (v *View) taskLine(task run.Task) string {
	line := fmt.Sprintf("%-12s %s", task.ID, mark.Color(v.Term, task.State, string(task.State)))
	if task.Tries > 1 {
		line += fmt.Sprintf(", try %d", task.Tries)
	}
	if task.State.Final() && !task.Started.IsZero() {
		line += ", " + term.Duration(task.Ended.Sub(task.Started))
	}
	if count := records(task); count != "" && task.State.Final() {
		line += fmt.Sprintf(", %s records", count)
	}
	for _, warning := range task.Warnings {
		line += ", " + mark.Paint(v.Term, mark.Warned) + " " + warning
	}
	if task.Waiting != "" {
		line += ", waits for " + task.Waiting
	}
	if failed := errorOf(task); failed != "" {
		line += ": " + term.Short(failed, maxLine)
	}
	return line
}
