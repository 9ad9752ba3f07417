package view

import (
	"fmt"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/pinflow/pinflow/starter/control"
	"github.com/pinflow/pinflow/starter/setup"
)

// PrintStep prints a step of the setup in one line, and a line for each difference.
func (v *View) PrintStep(step setup.Step) {
	color := text.FgGreen
	if step.Outcome == control.Unchanged {
		color = text.FgHiBlack
	}
	v.Say("%s  %-18s %s  %s", v.Paint(text.FgGreen, "ok"), step.Name, v.Paint(color, fmt.Sprintf("%-9s", step.Outcome)), step.Detail)
	for _, difference := range step.Differences {
		v.Say("    %s", difference)
	}
}
