package view

import (
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/pinflow/pinflow/internal/notebookpush"
	"github.com/pinflow/pinflow/starter/term"
)

// NotebookChanges prints the differences between notebooks and the workspace.
func (v *View) NotebookChanges(changes []notebookpush.Change) {
	colors := map[notebookpush.State]text.Color{
		notebookpush.New: text.FgGreen, notebookpush.Changed: text.FgYellow, notebookpush.Same: text.FgHiBlack, notebookpush.Extra: text.FgYellow,
	}
	g := term.Table{Header: []string{"notebook", "state", "path", "sha256"}}
	for _, change := range changes {
		g.Rows = append(g.Rows, []string{change.Name, v.Paint(colors[change.State], string(change.State)), change.Path, hashStart(change.Hash)})
	}
	v.PrintTable(g)
}
