package view

import (
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/starter/term"
)

// Notes prints notes, a line each.
func (v *View) Notes(notes []ledger.Note) {
	for _, note := range notes {
		v.Say("%s  %s: %s", term.Moment(note.At), note.By, note.Text)
	}
}
