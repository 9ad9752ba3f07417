package view

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/starter/history"
	"github.com/pinflow/pinflow/starter/term"
	"github.com/pinflow/pinflow/starter/view/mark"
)

// liveRun is the table of a run that is redrawn in place on a terminal each time the run is
// queried.
type liveRun struct {
	view    *View
	screen  term.Screen
	status  *run.Status // the last one that was shown
	landing history.Landing
}

// Show draws the status.
func (l *liveRun) Show(status run.Status, landing history.Landing) {
	l.status, l.landing = &status, landing
	l.draw("")
}

// NoAnswer draws the last status, with a line about why the run does not answer.
func (l *liveRun) NoAnswer(err error) {
	l.draw(fmt.Sprintf("%v; waiting", err))
}

// ShowsLanding returns true: the table has a bar for the landing.
func (l *liveRun) ShowsLanding() bool { return true }

// End removes the table.
func (l *liveRun) End() { l.screen.Clear() }

// Leave leaves the table on the screen.
func (l *liveRun) Leave() { l.screen.Leave() }

// draw draws the table, and a warning below it.
func (l *liveRun) draw(warning string) {
	var b bytes.Buffer
	if l.status != nil {
		width, _ := term.Columns(l.screen.W)
		l.view.liveTable(&b, *l.status, l.landing, width-1)
	}
	if warning != "" {
		width, _ := term.Columns(l.screen.W)
		fmt.Fprintln(&b, l.view.Paint(text.FgYellow, term.WrapLine(strings.Join(strings.Fields(warning), " "), width-1)))
	}
	fmt.Fprintln(&b, l.view.Paint(text.FgHiBlack, "Ctrl-C stops watching; the run continues."))
	l.screen.Draw(b.String())
}

// liveTable writes a run: its title, whether it is paused, its tasks, and remarks on them.
func (v *View) liveTable(b *bytes.Buffer, status run.Status, progress history.Landing, width int) {
	fmt.Fprintln(b, term.WrapLine(v.runTitle(status), width))
	if status.Paused != "" {
		fmt.Fprintln(b, v.Paint(text.FgMagenta, term.WrapLine(v.pausedLine(status), width)))
	}
	g := term.Table{Header: []string{"task", "state", "tries", "took", "records"}, Right: []int{2, 3, 4}}
	var remarks []string
	for _, task := range status.Tasks {
		g.Rows = append(g.Rows, []string{
			task.ID, mark.Paint(v.Term, mark.OfTask(task)) + " " + mark.Color(v.Term, task.State, string(task.State)), term.Number(int64(task.Tries)),
			v.Took(task.Started, task.Ended), records(task),
		})
		remark := v.liveRemark(task)
		if progress.Done < progress.Total && task.State == run.Running && task.Link == "" {
			remark, progress = landingBar(progress), history.Landing{}
		}
		if remark != "" {
			remarks = append(remarks, term.WrapLine(task.ID+" "+remark, width))
		}
	}
	v.WriteTable(b, g)
	for _, remark := range remarks {
		fmt.Fprintln(b, remark)
	}
}

// liveRemark returns the most urgent remark on a task.
func (v *View) liveRemark(task run.Task) string {
	switch {
	case task.Waiting != "":
		return "waits for " + task.Waiting
	case task.State == run.Held:
		return "is held, decide with `" + v.Command("task") + "`: " + errorOf(task)
	case errorOf(task) != "":
		return string(task.State) + ": " + term.Short(errorOf(task), maxLine)
	case len(task.Warnings) > 0:
		return mark.Paint(v.Term, mark.Warned) + " " + term.Join(task.Warnings)
	case task.Carried:
		return "kept from an earlier run"
	}
	return ""
}

// landingBar returns the progress of a landing as a bar.
func landingBar(progress history.Landing) string {
	const width = 20
	done := min(width, int(progress.Done*width/progress.Total))
	return fmt.Sprintf("landing %s%s %d %%", strings.Repeat("█", done), strings.Repeat("░", width-done), progress.Done*100/progress.Total)
}
