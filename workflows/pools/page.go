package pools

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/launch"
	"github.com/pinflow/pinflow/workflows/markdown"
)

// shownOfPool is how many tasks a cell of the page shows. It counts the others.
const shownOfPool = 5

// page returns what the page of the Pools workflow in the Web UI shows: who is at work in each
// pool, who waits, and for which tasks a slot is kept.
func (p *poolsRun) page() string {
	names := p.names()
	if len(names) == 0 {
		return launch.AboutPools + "\n\nNo task is at work, and none waits.\n"
	}
	text := launch.AboutPools + "\n\n" + fmt.Sprintf("**%d at work, %d waiting**\n\n", len(p.work), p.waiting.size) + markdown.Head("pool", "slots", "at work", "waiting", "kept for")
	for _, name := range names {
		slots := 0
		var work, waiting []string
		kept := p.announcedFor(name)
		for _, w := range p.work {
			if w.first().Pool == name {
				slots = w.first().Slots
				work = append(work, atWork(w))
			}
		}
		n := 0
		if queue := p.waiting.pool(name); queue != nil {
			n = len(queue.waiting)
			slots = queue.waiting[0].Slots
			for _, w := range queue.waiting[:min(n, shownOfPool)] {
				text := taskOf(w.DAG, w.Date, w.Task, w.Try)
				if obstacle := p.obstacles[string(w.Operator)]; obstacle != "" {
					text += ": " + markdown.Escape(obstacle)
				}
				waiting = append(waiting, text)
			}
		}
		text += markdown.Row(markdown.Escape(name), slotsOf(slots), first(work, len(work)), first(waiting, n), first(kept, len(kept)))
	}
	return text
}

// names returns the pools with work, requests or announcements, sorted.
func (p *poolsRun) names() (names []string) {
	for _, w := range p.work {
		names = append(names, w.first().Pool)
	}
	for _, q := range p.waiting.pools {
		names = append(names, q.name)
	}
	for _, a := range p.announced {
		names = slices.AppendSeq(names, maps.Values(a.Pools)) //workflowcheck:ignore // sorted below
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// atWork returns a request at work as Markdown.
func atWork(w *poolWork) string {
	first := w.first()
	text := taskOf(first.DAG, first.Date, first.Task, first.Try)
	if others := w.together(); len(others) > 0 {
		text += fmt.Sprintf(" and %d more dates up to %s", len(others)-1, markdown.Escape(string(others[len(others)-1])))
	}
	text += " since " + markdown.Escape(first.Started.UTC().Format(time.DateTime)) + " UTC"
	switch {
	case w.isWithdrawn():
		text += ", being cancelled"
	case first.Counting:
		text += ", counts rows"
	}
	if first.Obstacle != "" {
		text += ", " + markdown.Escape(first.Obstacle)
	}
	if first.Link != "" {
		text += ", " + markdown.Link("Databricks run", first.Link)
	}
	return text
}

// taskOf returns a task of a date as Markdown. Only later tries show their number.
func taskOf(dag string, date dates.Date, task string, try int) string {
	text := markdown.Escape(fmt.Sprintf("%s of %s %s", task, dag, date))
	if try > 1 {
		text += fmt.Sprintf(" try %d", try)
	}
	return text
}

// first returns the first of n tasks, and how many more there are.
func first(tasks []string, n int) string {
	if len(tasks) > shownOfPool {
		tasks = tasks[:shownOfPool]
	}
	text := strings.Join(tasks, "; ")
	if n > len(tasks) {
		text += fmt.Sprintf("; and %d more", n-len(tasks))
	}
	return text
}

func slotsOf(n int) string {
	if n == 0 {
		return "" // only announced: the requests will say
	}
	return fmt.Sprint(n)
}
