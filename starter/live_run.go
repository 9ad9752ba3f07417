package main

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/pinflow/pinflow/internal/run"
)

// liveRun is the table of a run that is redrawn in place on a terminal, at most as often as the run is asked.
type liveRun struct {
	app    *app
	screen screen
	status *run.Status // as it was shown last
	far    landed
}

func (l *liveRun) show(status run.Status, far landed) {
	l.status, l.far = &status, far
	l.draw("")
}

// noWorker draws what was known last, with a line about the absence of a worker.
func (l *liveRun) noWorker(err error) {
	l.draw(fmt.Sprintf("%v; waiting", err))
}

func (l *liveRun) lands() bool { return true }

func (l *liveRun) end() { l.screen.clear() }

func (l *liveRun) leave() { l.screen.leave() }

// draw draws the table. The trouble stands below it.
func (l *liveRun) draw(trouble string) {
	var b bytes.Buffer
	if l.status != nil {
		width, _ := columns(l.screen.w)
		l.app.liveTable(&b, *l.status, l.far, width-1)
	}
	if trouble != "" {
		width, _ := columns(l.screen.w)
		fmt.Fprintln(&b, l.app.paint(text.FgYellow, wrapLine(inALine(trouble), width-1)))
	}
	fmt.Fprintln(&b, l.app.paint(text.FgHiBlack, "Ctrl-C ends watching; the run goes on."))
	l.screen.draw(b.String())
}

// maxTrouble is how many characters of an error are worth drawing; the whole stands in the result.
const maxTrouble = 200

// liveTable writes a run: its title, whether it is paused, its tasks, and what there is to say about them.
func (a *app) liveTable(b *bytes.Buffer, status run.Status, far landed, width int) {
	fmt.Fprintln(b, wrapLine(a.runTitle(status), width))
	if status.Paused != "" {
		fmt.Fprintln(b, a.paint(text.FgMagenta, wrapLine(pausedLine(status), width)))
	}
	g := grid{header: []string{"task", "state", "tries", "took", "records"}, right: []int{2, 3, 4}}
	var notes []string
	for _, task := range status.Tasks {
		g.rows = append(g.rows, []string{
			task.ID, a.paintMark(taskMark(task)) + " " + a.paintState(task.State, string(task.State)), number(int64(task.Tries)),
			a.took(task.Started, task.Ended), number(task.Rows),
		})
		note := a.liveNote(task)
		if far.done < far.total && task.State == run.Running && task.Link == "" {
			note, far = landingBar(far), landed{}
		}
		if note != "" {
			notes = append(notes, wrapLine(task.ID+" "+note, width))
		}
	}
	a.writeGrid(b, g)
	for _, note := range notes {
		fmt.Fprintln(b, note)
	}
}

// liveNote is the most urgent that there is to say about a task.
func (a *app) liveNote(task run.Task) string {
	switch {
	case task.Waiting != "":
		return "waits for " + task.Waiting
	case task.State == run.Held:
		return "is held, decide with `starter task`: " + inALine(task.Error)
	case task.Error != "":
		return "had an error: " + inALine(task.Error)
	case task.Carried:
		return "keeps the result of an earlier run"
	}
	return ""
}

// inALine is the start of an error without its breaks: the first line alone often says only that something failed.
func inALine(s string) string { return short(strings.Join(strings.Fields(s), " "), maxTrouble) }

// landingBar is how far a landing is.
func landingBar(far landed) string {
	const width = 20
	done := min(width, int(far.done*width/far.total))
	return fmt.Sprintf("lands %s%s %d %%", strings.Repeat("█", done), strings.Repeat("░", width-done), far.done*100/far.total)
}
