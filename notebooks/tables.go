package notebooks

import (
	"regexp"
	"strings"
)

// Table is a table or view as a notebook creates it, unless it exists.
type Table struct {
	Name string
	View bool
	// Columns holds the names of its columns, in their order: notebooks insert by position.
	Columns []string
}

var (
	createTable = regexp.MustCompile("^CREATE (TABLE|VIEW) IF NOT EXISTS (`?)(\\w+)`? \\($")
	tableColumn = regexp.MustCompile("^  `?(\\w+)`? .*COMMENT '")
)

// Tables returns the tables and views that the notebook creates in the form
//
//	CREATE TABLE IF NOT EXISTS name (
//	  column TYPE COMMENT '…',
//	) …
func (n Notebook) Tables() []Table {
	var all []Table
	inside := false
	for line := range strings.Lines(Normal(n.Source)) {
		line = strings.TrimRight(line, "\n")
		if found := createTable.FindStringSubmatch(line); found != nil {
			all, inside = append(all, Table{Name: found[3], View: found[1] == "VIEW"}), true
		} else if found := tableColumn.FindStringSubmatch(line); inside && found != nil {
			table := &all[len(all)-1]
			table.Columns = append(table.Columns, found[1])
		} else {
			inside = false
		}
	}
	return all
}
