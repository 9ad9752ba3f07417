// Package view turns values into text for the reader: grid, gantt, calendar, graph, status, logs.
// It asks no system and changes nothing.
package view

import (
	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/starter/term"
)

// View writes values about one DAG to a terminal.
type View struct {
	*term.Term
	// DAG is the DAG that the values are about.
	DAG dag.Definition
	// Command returns the command line of a subcommand about the DAG, for hints.
	Command func(args string) string
}
