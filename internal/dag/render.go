package dag

import (
	"fmt"
	"strings"

	"github.com/pinflow/pinflow/internal/run"
)

// Text returns the DAG as a tree with a line for each task. label returns the text after the id of
// a task, for example its state; nil is no text.
//
//	load
//	├─ clean_pin
//	├─ clean_geo
//	└─ clean_user
//	   └─ query   after clean_pin, clean_geo, clean_user
func (d DAG) Text(label func(id string) string) string {
	var b strings.Builder
	var open []bool // by depth: whether another sibling follows
	rows := d.Tree()
	width := d.TreeWidth()
	for _, row := range rows {
		open = append(open[:row.Depth], !row.Last)
		line := branches(open, row) + row.ID
		if label != nil {
			line += strings.Repeat(" ", width-row.Depth*branch-len(row.ID)+2) + label(row.ID)
		}
		if len(row.After) > 0 {
			line = strings.TrimRight(line, " ") + "   after " + strings.Join(row.After, ", ")
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return b.String()
}

// List returns the DAG as a list with a line for each task, in the order of the table: for a DAG that
// is too deep for a tree. label is that of Text.
func (d DAG) List(label func(id string) string) string {
	var b strings.Builder
	width := 0
	for _, t := range d {
		width = max(width, len(t.ID))
	}
	for _, t := range d {
		line := t.ID
		if label != nil {
			line += strings.Repeat(" ", width-len(t.ID)+2) + label(t.ID)
		}
		if len(t.After) > 0 {
			line = strings.TrimRight(line, " ") + "   after " + strings.Join(t.After, ", ")
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return b.String()
}

// TreeWidth returns how wide the tree of Text is, without labels.
func (d DAG) TreeWidth() int {
	width := 0
	for _, row := range d.Tree() {
		width = max(width, row.Depth*branch+len(row.ID))
	}
	return width
}

// branch is the width of a level of the tree.
const branch = 3

// branches returns the lines before a row. Roots have none.
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

// colors maps states to the fill colors of nodes. They resemble Airflow's.
var colors = map[run.State]string{
	run.Success: "#8fd694", run.Failed: "#f08080", run.UpstreamFailed: "#ffc06e", run.Skipped: "#f5b5d0",
	run.Running: "#b5f2b0", run.Queued: "#d0d0d0", run.UpForRetry: "#ffe680", run.Held: "#d0b0f0", run.None: "#ffffff",
	run.Cancelled: "#e0b080", run.Blocked: "#f08080",
}

// Mermaid returns the DAG as a Mermaid flowchart, which GitHub and many editors render. state
// returns the state of a task; nil leaves states out.
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
		fmt.Fprintf(&b, "  style %s fill:%s,color:#222\n", t.ID, colors[s])
	}
	for _, t := range d {
		for _, parent := range t.After {
			fmt.Fprintf(&b, "  %s -->%s %s\n", parent, edge(t, "|%s|"), t.ID)
		}
	}
	return b.String()
}

// Dot returns the DAG in the language of Graphviz. state returns the state of a task; nil leaves
// states out.
func (d DAG) Dot(state func(id string) run.State) string {
	var b strings.Builder
	b.WriteString("digraph dag {\n  rankdir=LR;\n  node [shape=box, style=\"rounded,filled\", fillcolor=\"#ffffff\"];\n")
	for _, t := range d {
		if state == nil {
			fmt.Fprintf(&b, "  %q;\n", t.ID)
			continue
		}
		s := state(t.ID)
		fmt.Fprintf(&b, "  %q [label=\"%s\\n%s\", fillcolor=%q];\n", t.ID, t.ID, s, colors[s])
	}
	for _, t := range d {
		for _, parent := range t.After {
			fmt.Fprintf(&b, "  %q -> %q%s;\n", parent, t.ID, edge(t, " [label=%q]"))
		}
	}
	b.WriteString("}\n")
	return b.String()
}

// edge returns the label of the edges to a task: its trigger rule in that format, unless it is the
// default.
func edge(t Task, form string) string {
	if t.TriggerRule.Name() == AllSuccess {
		return ""
	}
	return fmt.Sprintf(form, string(t.TriggerRule))
}
