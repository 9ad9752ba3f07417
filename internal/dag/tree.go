package dag

import (
	"slices"
)

// TreeRow is one line of a DAG written as a tree.
type TreeRow struct {
	// ID is the task's.
	ID string
	// Depth is how many rows it stands below a root.
	Depth int
	// Last says that no sibling follows in the tree.
	Last bool
	// After are all parents of a task that has more than the one it stands under.
	After Tasks
}

// Tree returns the DAG as a tree in which each task stands once, under the last of its parents, depth first.
func (d DAG) Tree() []TreeRow {
	var rows []TreeRow
	var add func(parent string, depth int)
	add = func(parent string, depth int) {
		first := len(rows)
		last := -1
		for _, t := range d {
			under := ""
			if len(t.After) > 0 {
				under = d.lowest(t.After)
			}
			if under != parent {
				continue
			}
			row := TreeRow{ID: t.ID, Depth: depth}
			if len(t.After) > 1 {
				row.After = t.After
			}
			last = len(rows)
			rows = append(rows, row)
			add(t.ID, depth+1)
		}
		if last >= first {
			rows[last].Last = true
		}
	}
	add("", 0)
	return rows
}

// lowest is the one of the tasks that stands lowest in the table.
func (d DAG) lowest(ids Tasks) string {
	lowest := ids[0]
	for _, t := range d {
		if slices.Contains(ids, t.ID) {
			lowest = t.ID
		}
	}
	return lowest
}
