package view

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/starter/history"
	"github.com/pinflow/pinflow/starter/term"
	"github.com/pinflow/pinflow/starter/view/mark"
)

// DiffLine is one value of two runs.
type DiffLine struct {
	// Task is the id of the task; empty for values of the run.
	Task   string `json:"task,omitempty"`
	What   string `json:"what"`
	Before string `json:"before"`
	After  string `json:"after"`
	// Change is the difference between two numbers or durations.
	Change string `json:"change,omitempty"`
	// Differs reports whether the values differ. Durations are never equal: they differ if one is
	// half again as long, and a second longer.
	Differs bool `json:"differs"`
}

// percentFrom is the smallest number whose change is shown in percent: of a few tries that says
// nothing.
const percentFrom = 10

// shortHash is how many characters of a notebook's hash are shown.
const shortHash = 12

// DiffRuns compares two runs: first their own values, then their tasks.
func (v *View) DiffRuns(before, after history.Run) []DiffLine {
	d := &differ{Lines: []DiffLine{}}
	d.text("state", string(mark.OfRun(before.Status)), string(mark.OfRun(after.Status)))
	d.text("trigger", string(before.Trigger), string(after.Trigger))
	d.time("took", v.length(before), v.length(after))
	names := slices.Sorted(maps.Keys(before.Params))
	for _, name := range slices.Sorted(maps.Keys(after.Params)) {
		if _, ok := before.Params[name]; !ok {
			names = append(names, name)
		}
	}
	for _, name := range names {
		d.text("param "+name, before.Params[name], after.Params[name])
	}
	ids := before.TaskIDs()
	for _, task := range after.Tasks {
		if !slices.Contains(ids, task.ID) {
			ids = append(ids, task.ID)
		}
	}
	for _, id := range ids {
		d.task = id
		v.diffTasks(d, before.Task(id), after.Task(id))
	}
	return d.Lines
}

// diffTasks compares a task of two runs.
func (v *View) diffTasks(d *differ, before, after run.Task) {
	d.text("state", string(mark.OfTask(before)), string(mark.OfTask(after)))
	d.text("warnings", strings.Join(before.Warnings, "; "), strings.Join(after.Warnings, "; "))
	d.count("tries", int64(before.Tries), int64(after.Tries))
	d.time("took", v.workTime(before), v.workTime(after))
	d.time("waited for pool", poolWait(before), poolWait(after))
	d.count("rows", before.Rows, after.Rows)
	d.count("quarantined", before.Quarantined, after.Quarantined)
	for _, table := range tablesOf(before, after) {
		d.count(table, rowsOfTable(before, table), rowsOfTable(after, table))
	}
	if before.Notebook != "" && after.Notebook != "" && before.Notebook != after.Notebook {
		d.text("notebook", before.Notebook, after.Notebook)
	}
	d.text("notebook hash", term.Short(before.NotebookHash, shortHash+1), term.Short(after.NotebookHash, shortHash+1))
}

// differ collects the values that at least one of the two runs has.
type differ struct {
	task  string
	Lines []DiffLine
}

func (d *differ) text(what, before, after string) {
	if before != "" || after != "" {
		d.Lines = append(d.Lines, DiffLine{Task: d.task, What: what, Before: before, After: after, Differs: before != after})
	}
}

func (d *differ) count(what string, before, after int64) {
	if before == 0 && after == 0 {
		return
	}
	line := DiffLine{Task: d.task, What: what, Before: fmt.Sprint(before), After: fmt.Sprint(after), Differs: before != after}
	if line.Differs {
		line.Change = fmt.Sprintf("%+d", after-before)
		if max(before, after) >= percentFrom {
			line.Change += percent(float64(before), float64(after))
		}
	}
	d.Lines = append(d.Lines, line)
}

func (d *differ) time(what string, before, after time.Duration) {
	if before == 0 && after == 0 {
		return
	}
	line := DiffLine{Task: d.task, What: what, Before: someTime(before), After: someTime(after)}
	less, more := min(before, after), max(before, after)
	line.Differs = more-less >= time.Second && float64(more) >= 1.5*float64(less)
	if less > 0 && more-less >= 50*time.Millisecond { // less than that is 0.0s
		sign := "+"
		if after < before {
			sign = "-"
		}
		line.Change = sign + term.Duration(more-less) + percent(float64(before), float64(after))
	}
	d.Lines = append(d.Lines, line)
}

// someTime returns a duration as text, "none" if it is zero.
func someTime(d time.Duration) string {
	if d == 0 {
		return "-"
	}
	return term.Duration(d)
}

// percent returns a change in percent; empty if the number before was 0.
func percent(before, after float64) string {
	if before == 0 {
		return ""
	}
	return fmt.Sprintf(" (%+.0f %%)", (after-before)/before*100)
}

// workTime returns how long a task took since its first start, without its waits for its pool.
func (v *View) workTime(task run.Task) time.Duration {
	if task.Started.IsZero() {
		return 0
	}
	ended := task.Ended
	if ended.IsZero() {
		ended = v.Now()
	}
	return max(0, ended.Sub(task.Started)-poolWait(task))
}

// poolWait returns how long the tries of a task waited for slots of their pool.
func poolWait(task run.Task) time.Duration {
	sum := time.Duration(0)
	for _, try := range task.History {
		if !try.Granted.IsZero() && !try.Ended.Before(task.Started) {
			sum += try.Granted.Sub(try.Queued)
		}
	}
	return sum
}

func tablesOf(tasks ...run.Task) []string {
	var names []string
	for _, task := range tasks {
		for _, t := range task.Tables {
			if !slices.Contains(names, t.Table) {
				names = append(names, t.Table)
			}
		}
	}
	return names
}

func rowsOfTable(task run.Task, table string) int64 {
	for _, t := range task.Tables {
		if t.Table == table {
			return t.Rows
		}
	}
	return 0
}

// Diff prints the values as a table that fits the width.
func (v *View) Diff(before, after history.Run, lines []DiffLine) {
	width := term.Width(v.Out)
	v.Say("%s: %s and %s\n", v.Paint(text.Bold, v.DAG.Name), before.Date, after.Date)
	whats, values, changes := 0, len(before.Date), 0
	for _, l := range lines {
		whats = max(whats, len([]rune(l.What)))
		values, changes = max(values, len([]rune(l.Before)), len([]rune(l.After))), max(changes, len(l.Change))
	}
	const gaps = 2 + 3*2
	values = min(values, max(len(run.UpstreamFailed), (width-gaps-whats-changes)/2))
	whats = min(whats, max(8, width-gaps-2*values-changes))
	row := func(mark, what, first, second, change string) string {
		return strings.TrimRight(term.Pad(mark, 2)+term.Pad(term.ShortMiddle(what, whats), whats+2)+term.Pad(term.Short(first, values), values+2)+term.Pad(term.Short(second, values), values+2)+change, " ")
	}
	v.Say("%s", row("", "", string(before.Date), string(after.Date), ""))
	last, differ := "", 0
	for _, l := range lines {
		if l.Task != last {
			v.Say("\n%s", v.Paint(text.Bold, l.Task))
			last = l.Task
		}
		if !l.Differs {
			v.Say("%s", row("", l.What, l.Before, l.After, l.Change))
			continue
		}
		differ++
		v.Say("%s", v.Paint(text.FgYellow, row("≠", l.What, l.Before, l.After, l.Change)))
	}
	v.Say("\n%d of %d values differ (≠). Durations differ if one is half again as long.", differ, len(lines))
}
