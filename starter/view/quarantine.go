package view

import (
	"fmt"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/pinflow/pinflow/internal/answers"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/starter/term"
)

// Quarantine prints the rejected records of a date: for each topic its reasons, and for each reason
// examples, a line each.
func (v *View) Quarantine(date dates.Date, topics []answers.Quarantined) {
	width := min(term.Width(v.Out), maxLine) // a record can be large
	v.Say("%s of %s", v.Paint(text.Bold, v.DAG.Name), v.Paint(text.Bold, string(date)))
	for _, topic := range topics {
		if len(topic.Reasons) == 0 {
			v.Say("\n%s: no records quarantined", v.Paint(text.Bold, topic.Topic))
			continue
		}
		v.Say("\n%s: %s quarantined", v.Paint(text.Bold, topic.Topic), term.Count(topic.Records, "record"))
		for _, reason := range topic.Reasons {
			v.Say("  %s  %s", v.Paint(text.FgYellow, reason.Reason), term.Count(reason.Records, "record"))
			for _, example := range reason.Examples {
				place := fmt.Sprintf("%d:%d", example.Partition, example.Offset)
				if example.Element > 0 {
					place += fmt.Sprintf("[%d]", example.Element)
				}
				if example.Topic != topic.Topic {
					place = example.Topic + " " + place
				}
				record := strings.Join(strings.Fields(example.Text), " ")
				if example.Tombstone {
					record = "(tombstone)"
				}
				v.Say("    %-10s %s", place, term.Short(record, max(20, width-max(len(place), 10)-len("     "))))
			}
		}
	}
}
