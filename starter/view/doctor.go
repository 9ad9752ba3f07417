package view

import (
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/pinflow/pinflow/starter/doctor"
)

// PrintFinding prints a finding of the doctor in one line.
func (v *View) PrintFinding(f doctor.Finding) {
	mark := v.Paint(text.FgGreen, "ok  ")
	if f.Warning {
		mark = v.Paint(text.FgYellow, "WARN")
	}
	if !f.OK {
		mark = v.Paint(text.FgRed, "FAIL")
	}
	v.Say("%s  %-10s %-18s %s", mark, f.System, f.Check, strings.ReplaceAll(f.Detail, "\n", " "))
}
