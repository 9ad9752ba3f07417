package dag

import (
	"fmt"
	"strings"

	"github.com/pinflow/pinflow/internal/run"
)

// Text writes the DAG as a tree, a line a task, each task once. Label returns what stands after a task's id, as its state;
// nil writes the ids alone.
//
//	load
//	├─ clean_pin
//	├─ clean_geo
//	└─ clean_user
//	   └─ query   after clean_pin, clean_geo, clean_user
func (d DAG) Text(label func(id string) string) string {
	var b strings.Builder
	var open []bool // for each depth: whether a sibling still follows there
	rows := d.Tree()
	width := 0
	for _, row := range rows {
		width = max(width, row.Depth*3+len(row.ID))
	}
	for _, row := range rows {
		open = append(open[:row.Depth], !row.Last)
		line := branches(open, row) + row.ID
		if label != nil {
			line += strings.Repeat(" ", width-row.Depth*3-len(row.ID)+2) + label(row.ID)
		}
		if len(row.After) > 0 {
			line = strings.TrimRight(line, " ") + "   after " + strings.Join(row.After, ", ")
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return b.String()
}

// branches draws the lines left of a row. Roots have none, so their children start at depth 1.
func branches(open []bool, row TreeRow) string {
	if row.Depth == 0 {
		return ""
	}
	var b strings.Builder
	for _, more := range open[1:row.Depth] {
		if more {
			b.WriteString("│  ")
		} else {
			b.WriteString("   ")
		}
	}
	if row.Last {
		return b.String() + "└─ "
	}
	return b.String() + "├─ "
}

// colours fill the nodes of a drawn DAG, by state. They are Airflow's, so that a reader who comes from there need not learn them.
var colours = map[run.State]string{
	run.Success: "#8fd694", run.Failed: "#f08080", run.UpstreamFailed: "#ffc06e", run.Skipped: "#f5b5d0",
	run.Running: "#b5f2b0", run.Queued: "#d0d0d0", run.UpForRetry: "#ffe680", run.Held: "#d0b0f0", run.None: "#ffffff",
}

// Mermaid writes the DAG as a Mermaid flowchart, which GitHub and many editors draw. State returns a task's state; nil leaves states out.
func (d DAG) Mermaid(state func(id string) run.State) string {
	var b strings.Builder
	b.WriteString("flowchart LR\n")
	for _, t := range d {
		if state == nil {
			fmt.Fprintf(&b, "  %s\n", t.ID)
			continue
		}
		s := state(t.ID)
		fmt.Fprintf(&b, "  %s[\"%s<br/>%s\"]\n", t.ID, t.ID, s)
		fmt.Fprintf(&b, "  style %s fill:%s,color:#222\n", t.ID, colours[s])
	}
	for _, t := range d {
		for _, parent := range t.After {
			fmt.Fprintf(&b, "  %s -->%s %s\n", parent, edge(t, "|%s|"), t.ID)
		}
	}
	return b.String()
}

// Dot writes the DAG in the language of Graphviz. State returns a task's state; nil leaves states out.
func (d DAG) Dot(state func(id string) run.State) string {
	var b strings.Builder
	b.WriteString("digraph dag {\n  rankdir=LR;\n  node [shape=box, style=\"rounded,filled\", fillcolor=\"#ffffff\"];\n")
	for _, t := range d {
		if state == nil {
			fmt.Fprintf(&b, "  %q;\n", t.ID)
			continue
		}
		s := state(t.ID)
		fmt.Fprintf(&b, "  %q [label=\"%s\\n%s\", fillcolor=%q];\n", t.ID, t.ID, s, colours[s])
	}
	for _, t := range d {
		for _, parent := range t.After {
			fmt.Fprintf(&b, "  %q -> %q%s;\n", parent, t.ID, edge(t, " [label=%q]"))
		}
	}
	b.WriteString("}\n")
	return b.String()
}

// edge is the trigger rule on the way to a task, in the given form; the default rule is not written.
func edge(t Task, form string) string {
	if t.TriggerRule.Name() == AllSuccess {
		return ""
	}
	return fmt.Sprintf(form, string(t.TriggerRule))
}
