package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/workflows"
)

// gridOptions are the command line of `starter grid`.
type gridOptions struct {
	from, to string
	last     int
}

// gridCell is how many characters a date takes.
const gridCell = 3

func (a *app) gridCommand() *cobra.Command {
	var o gridOptions
	c := &cobra.Command{
		Use:   "grid",
		Short: "Show dates × tasks: how each task stood in the latest run of each date",
		Long: "Grid shows a column for each date, the newest at the right, and a row for each task, above them the run itself.\n\n" +
			"It reads the ledger, so it also knows the runs that Temporal has forgotten. As many of the latest dates are shown as the width of the terminal\n" +
			"(or COLUMNS) allows; a date that has not been run is a gap. A digit behind a mark counts the tries, if there was more than one.",
		Example: "  starter grid\n  starter grid --last 30\n  starter grid --from 2022-10-01 --to 2022-10-18 -o json",
		GroupID: groupViews,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if o.from != "" && c.Flags().Changed("last") {
				return usagef("--from and --last both say which date is the first: give one of them")
			}
			return a.grid(c, o)
		},
	}
	c.Flags().StringVar(&o.from, "from", "", "the first `date`")
	c.Flags().StringVar(&o.to, "to", "", "the last `date`; today if it has been run, else yesterday")
	c.Flags().IntVarP(&o.last, "last", "n", 14, "so many `dates` up to the last one")
	return prints(c, formTable, formJSON)
}

// span reads the dates of the command line. Those that were not given are empty.
func (o gridOptions) span(a *app) (from, to dates.Date, err error) {
	if o.to != "" {
		if to, err = a.parseDate("--to", o.to); err != nil {
			return "", "", err
		}
	}
	if o.from == "" && o.last < 1 {
		return "", "", usagef("--last %d: want 1 or more", o.last)
	}
	if o.from != "" {
		if from, err = a.parseDate("--from", o.from); err == nil && to != "" && from > to {
			err = usagef("--from %s comes after --to %s", from, to)
		}
	}
	return from, to, err
}

func (a *app) grid(c *cobra.Command, o gridOptions) error {
	from, to, err := o.span(a)
	if err != nil {
		return err
	}
	width, _ := columns(a.stdout)
	names := nameWidth(workflows.Daily.DAG.IDs())
	fits := max(1, (width-names)/gridCell)
	h, err := a.gridHistory(c, from, to, o.last, fits)
	if err != nil {
		return err
	}
	if a.form(c) == formJSON {
		err = a.printJSON(struct {
			DAG  string     `json:"dag"`
			From dates.Date `json:"from"`
			To   dates.Date `json:"to"`
			Runs []dateRun  `json:"runs"`
		}{dailyName, h.from, h.to, h.all()})
	} else {
		leftOut := max(0, h.from.Days(h.to)-fits)
		h.from = h.from.Add(leftOut)
		a.printRunsGrid(h, names, width, leftOut)
	}
	if err != nil {
		return err
	}
	return a.shown(h.lost)
}

// gridHistory reads the dates of a grid. For a table those that do not fit are not read. Without a last date it is today, if that has
// been run, else yesterday.
func (a *app) gridHistory(c *cobra.Command, from, to dates.Date, last, fits int) (*history, error) {
	latest, first := to, from
	if to == "" {
		latest = dates.Of(a.now())
	}
	if from == "" {
		first = latest.Add(-last) // one more than asked for: today may turn out not to count
	}
	if a.form(c) == formTable {
		first = max(first, latest.Add(-fits))
	}
	h, err := a.history(c.Context(), first, latest)
	if err != nil {
		return nil, err
	}
	if _, ran := h.runs[latest]; to == "" && !ran && from < latest {
		h.to = latest.Add(-1)
	}
	if h.from = from; from == "" {
		h.from = h.to.Add(1 - last)
	}
	return h, nil
}

// nameWidth is how wide the column of the tasks' names is, with the names of the rows above them.
func nameWidth(ids dag.Tasks) int {
	width := len("trigger")
	for _, id := range ids {
		width = max(width, len(id))
	}
	return width + 1
}

// printRunsGrid draws the grid. leftOut dates before it did not fit.
func (a *app) printRunsGrid(h *history, names, width, leftOut int) {
	a.say("%s from %s to %s", a.paint(text.Bold, dailyName), h.from, h.to)
	if len(h.runs) == 0 {
		a.say("None of these dates has been run. Name others with --from and --to, or\nrun one with `starter run`.")
		return
	}
	a.say("")
	used := map[run.State]bool{}
	months, days := gridHead(h.from, h.to)
	a.say("%s%s", strings.Repeat(" ", names), months)
	a.say("%s%s", strings.Repeat(" ", names), days)
	a.gridRow(h, names, "run", func(run dateRun) string {
		used[runMark(run.Status)] = true
		return a.paintMark(runMark(run.Status))
	})
	a.gridRow(h, names, "trigger", func(run dateRun) string { return firstLetter(string(run.Trigger)) })
	longest := a.longest(h)
	a.gridRow(h, names, "took", func(run dateRun) string { return a.paint(text.FgHiBlack, spark(a.length(run), longest)) })
	for _, id := range h.tasks() {
		a.gridRow(h, names, id, func(r dateRun) string {
			i := slices.IndexFunc(r.Tasks, func(t run.Task) bool { return t.ID == id })
			if i < 0 || r.TasksUnknown {
				return ""
			}
			used[taskMark(r.Tasks[i])] = true
			return a.paintMark(taskMark(r.Tasks[i])) + tryDigit(r.Tasks[i])
		})
	}
	a.say("")
	a.say("%s", a.legend(width, used))
	a.say("%s", flow(width, []string{"trigger: s schedule, m manual, b backfill", "took: █ is " + duration(longest) + " and more", "digit: tries"}))
	if leftOut > 0 {
		a.say("%s", flow(width, []string{fmt.Sprintf("%s more, before these, would not fit into %d columns:", datesOf(leftOut), width), "see them with --to " + string(h.from.Add(-1))}))
	}
}

// gridRow prints a row: its name, and what stands for each date.
func (a *app) gridRow(h *history, names int, name string, cell func(dateRun) string) {
	row := pad(short(name, names-1), names)
	for date := h.from; date <= h.to; date = date.Add(1) {
		mark := ""
		if run, ok := h.runs[date]; ok {
			mark = cell(run)
		}
		row += pad(" "+mark, gridCell)
	}
	a.say("%s", strings.TrimRight(row, " "))
}

// gridHead are the two lines above the grid: months over their first dates, and the days.
func gridHead(from, to dates.Date) (months, days string) {
	for date := from; date <= to; date = date.Add(1) {
		day := date.Start()
		if date == from || day.Day() == 1 {
			left := min(date.Days(to), day.AddDate(0, 1, -day.Day()).Day()-day.Day()+1) * gridCell // what the month has in the grid
			name := day.Format("Jan 2006")
			if len(name) >= left {
				name = day.Format("Jan")
			}
			months = pad(months, from.Days(date)*gridCell-gridCell) + name
		}
		days += pad(day.Format("02"), gridCell)
	}
	return " " + months, " " + strings.TrimRight(days, " ")
}

// tasks are the ids of all tasks of the runs: those of the DAG in its order, then those that it no longer has.
func (h *history) tasks() dag.Tasks {
	ids := workflows.Daily.DAG.IDs()
	for _, run := range h.all() {
		for _, task := range run.Tasks {
			if !slices.Contains(ids, task.ID) {
				ids = append(ids, task.ID)
			}
		}
	}
	return ids
}

// length is how long a run took, or has taken so far.
func (a *app) length(run dateRun) time.Duration {
	if run.Ended.IsZero() {
		return max(0, a.now().Sub(run.Started))
	}
	return run.Ended.Sub(run.Started)
}

// longest is the length of the longest run that has ended: one that is held would make all others look alike. Where none has, it is that
// of the longest that goes on.
func (a *app) longest(h *history) time.Duration {
	ended, open := time.Duration(0), time.Duration(0)
	for _, run := range h.all() {
		if run.Ended.IsZero() {
			open = max(open, a.length(run))
		} else {
			ended = max(ended, a.length(run))
		}
	}
	if ended == 0 {
		return open
	}
	return ended
}

// spark is a length of time as a bar of one character.
func spark(d, longest time.Duration) string {
	levels := []rune("▁▂▃▄▅▆▇█")
	if longest <= 0 {
		return string(levels[0])
	}
	return string(levels[min(len(levels)-1, int(int64(len(levels))*int64(d)/int64(longest)))])
}

// datesOf counts dates in words.
func datesOf(n int) string {
	if n == 1 {
		return "1 date"
	}
	return fmt.Sprintf("%d dates", n)
}

func firstLetter(s string) string {
	if s == "" {
		return "?"
	}
	return s[:1]
}

// tryDigit counts the tries of a task that had more than one.
func tryDigit(task run.Task) string {
	switch {
	case task.Tries < 2:
		return ""
	case task.Tries > 9:
		return "+"
	}
	return fmt.Sprint(task.Tries)
}
