package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/run"
)

// diffLine is one figure of two runs.
type diffLine struct {
	// Task is the task's id, empty for what belongs to the run as a whole.
	Task   string `json:"task,omitempty"`
	What   string `json:"what"`
	Before string `json:"before"`
	After  string `json:"after"`
	// Change is the difference of two numbers or times.
	Change string `json:"change,omitempty"`
	// Differs marks what a reader should look at. Two times never agree: they differ if one is half again as long, and a second longer.
	Differs bool `json:"differs"`
}

// percentFrom is from which number on a difference is also told in percent: of a few tries it says nothing.
const percentFrom = 10

// shortHash is how many characters of a notebook's hash are shown: as many as git shows of a commit, and some.
const shortHash = 12

func (a *app) diffCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "diff <date> <date>",
		Short: "Compare the runs of two dates, task by task",
		Long: "Diff compares the latest runs of two dates: states, times, waits for pools, rows, quarantined records, tries, parameters, and the notebooks that ran,\n" +
			"by the hashes of their sources. What differs is marked ≠; times count as different if one is half again as long as the other, and a second longer.",
		Example: "  starter diff 2022-10-17 2022-10-18",
		GroupID: groupViews,
		Args:    cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			first, err := a.parseDate("first date", args[0])
			if err != nil {
				return err
			}
			second, err := a.parseDate("second date", args[1])
			if err != nil {
				return err
			}
			if first == second {
				return usagef("%s and %s are the same date: only the latest run of a date is kept", first, second)
			}
			return a.diff(c, first, second)
		},
	}
	return prints(c, formTable, formJSON)
}

func (a *app) diff(c *cobra.Command, first, second dates.Date) error {
	before, lost, err := a.latestRun(c.Context(), first)
	if err != nil {
		return err
	}
	after, lostToo, err := a.latestRun(c.Context(), second)
	if err != nil {
		return err
	}
	if lost == nil {
		lost = lostToo
	}
	lines := a.diffRuns(before, after)
	if a.form(c) == formJSON {
		err = a.printJSON(struct {
			DAG    string     `json:"dag"`
			Before dates.Date `json:"before"`
			After  dates.Date `json:"after"`
			Lines  []diffLine `json:"lines"`
		}{dailyName, first, second, lines})
	} else {
		a.printDiff(before, after, lines)
	}
	if err != nil {
		return err
	}
	return a.shown(lost)
}

// diffRuns compares two runs: themselves first, then their tasks.
func (a *app) diffRuns(before, after dateRun) []diffLine {
	d := &differ{lines: []diffLine{}}
	d.text("state", string(runMark(before.Status)), string(runMark(after.Status)))
	d.text("trigger", string(before.Trigger), string(after.Trigger))
	d.time("took", a.length(before), a.length(after))
	names := slices.Sorted(maps.Keys(before.Params))
	for _, name := range slices.Sorted(maps.Keys(after.Params)) {
		if _, ok := before.Params[name]; !ok {
			names = append(names, name)
		}
	}
	for _, name := range names {
		d.text("param "+name, before.Params[name], after.Params[name])
	}
	ids := idsOf(before.Tasks)
	for _, task := range after.Tasks {
		if !slices.Contains(ids, task.ID) {
			ids = append(ids, task.ID)
		}
	}
	for _, id := range ids {
		d.task = id
		a.diffTasks(d, before.task(id), after.task(id))
	}
	return d.lines
}

// diffTasks compares how a task stands in two runs.
func (a *app) diffTasks(d *differ, before, after run.Task) {
	d.text("state", string(taskMark(before)), string(taskMark(after)))
	d.count("tries", int64(before.Tries), int64(after.Tries))
	d.time("took", a.workTime(before), a.workTime(after))
	d.time("waited for pool", poolWait(before), poolWait(after))
	d.count("rows", before.Rows, after.Rows)
	d.count("quarantined", before.Quarantined, after.Quarantined)
	for _, table := range tablesOf(before, after) {
		d.count(table, rowsOfTable(before, table), rowsOfTable(after, table))
	}
	if before.Notebook != "" && after.Notebook != "" && before.Notebook != after.Notebook {
		d.text("notebook", before.Notebook, after.Notebook)
	}
	d.text("notebook hash", short(before.NotebookHash, shortHash+1), short(after.NotebookHash, shortHash+1))
}

// differ collects the figures that at least one of the two has.
type differ struct {
	task  string
	lines []diffLine
}

func (d *differ) text(what, before, after string) {
	if before != "" || after != "" {
		d.lines = append(d.lines, diffLine{Task: d.task, What: what, Before: before, After: after, Differs: before != after})
	}
}

func (d *differ) count(what string, before, after int64) {
	if before == 0 && after == 0 {
		return
	}
	line := diffLine{Task: d.task, What: what, Before: fmt.Sprint(before), After: fmt.Sprint(after), Differs: before != after}
	if line.Differs {
		line.Change = fmt.Sprintf("%+d", after-before)
		if max(before, after) >= percentFrom {
			line.Change += percent(float64(before), float64(after))
		}
	}
	d.lines = append(d.lines, line)
}

func (d *differ) time(what string, before, after time.Duration) {
	if before == 0 && after == 0 {
		return
	}
	line := diffLine{Task: d.task, What: what, Before: someTime(before), After: someTime(after)}
	less, more := min(before, after), max(before, after)
	line.Differs = more-less >= time.Second && float64(more) >= 1.5*float64(less)
	if less > 0 && more-less >= 50*time.Millisecond { // less than that is 0.0s
		sign := "+"
		if after < before {
			sign = "-"
		}
		line.Change = sign + duration(more-less) + percent(float64(before), float64(after))
	}
	d.lines = append(d.lines, line)
}

// someTime is a length of time, or that there was none.
func someTime(d time.Duration) string {
	if d == 0 {
		return "-"
	}
	return duration(d)
}

// percent is a change as a share of what was before; nothing if nothing was.
func percent(before, after float64) string {
	if before == 0 {
		return ""
	}
	return fmt.Sprintf(" (%+.0f %%)", (after-before)/before*100)
}

// workTime is how long a task took, from its first start, without what it waited for its pool.
func (a *app) workTime(task run.Task) time.Duration {
	if task.Started.IsZero() {
		return 0
	}
	ended := task.Ended
	if ended.IsZero() {
		ended = a.now()
	}
	return max(0, ended.Sub(task.Started)-poolWait(task))
}

// poolWait is how long the tries of a task waited for a slot of their pool.
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

// shortMiddle cuts a name to so many characters where the names of tables differ least.
func shortMiddle(s string, width int) string {
	runes := []rune(s)
	if len(runes) <= width || width < 3 {
		return short(s, width)
	}
	end := (width - 1) / 2
	return string(runes[:width-1-end]) + "…" + string(runes[len(runes)-end:])
}

// printDiff prints the figures as a table that fits the width.
func (a *app) printDiff(before, after dateRun, lines []diffLine) {
	width, _ := columns(a.stdout)
	a.say("%s: %s and %s\n", a.paint(text.Bold, dailyName), before.Date, after.Date)
	whats, values, changes := 0, len(before.Date), 0
	for _, l := range lines {
		whats = max(whats, len([]rune(l.What)))
		values, changes = max(values, len([]rune(l.Before)), len([]rune(l.After))), max(changes, len(l.Change))
	}
	const gaps = 2 + 3*2
	values = min(values, max(len(run.UpstreamFailed), (width-gaps-whats-changes)/2))
	whats = min(whats, max(8, width-gaps-2*values-changes))
	row := func(mark, what, first, second, change string) string {
		return strings.TrimRight(pad(mark, 2)+pad(shortMiddle(what, whats), whats+2)+pad(short(first, values), values+2)+pad(short(second, values), values+2)+change, " ")
	}
	a.say("%s", row("", "", string(before.Date), string(after.Date), ""))
	last, differ := "", 0
	for _, l := range lines {
		if l.Task != last {
			a.say("\n%s", a.paint(text.Bold, l.Task))
			last = l.Task
		}
		if !l.Differs {
			a.say("%s", row("", l.What, l.Before, l.After, l.Change))
			continue
		}
		differ++
		a.say("%s", a.paint(text.FgYellow, row("≠", l.What, l.Before, l.After, l.Change)))
	}
	a.say("\n%d of %d figures differ (≠). A time differs if it is half again as long.", differ, len(lines))
}
