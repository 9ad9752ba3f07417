package dag

import (
	"slices"
)

// TreeRow is one row of a DAG as a tree.
type TreeRow struct {
	// ID is the id of the task.
	ID string
	// Depth is 0 for a root, and one more than its parent's for any other task.
	Depth int
	// Last reports whether no sibling follows in the tree.
	Last bool
	// After holds all parents of a task that has more than one.
	After Tasks
}

// Tree returns the DAG as a tree, depth first: each task once, below the last of its parents.
func (d DAG) Tree() []TreeRow {
	var rows []TreeRow
	var add func(parent string, depth int)
	add = func(parent string, depth int) {
		first := len(rows)
		last := -1
		for _, t := range d {
			above := ""
			if len(t.After) > 0 {
				above = d.lowest(t.After)
			}
			if above != parent {
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

// lowest returns the last of the tasks in the table.
func (d DAG) lowest(ids Tasks) string {
	lowest := ids[0]
	for _, t := range d {
		if slices.Contains(ids, t.ID) {
			lowest = t.ID
		}
	}
	return lowest
}
