package view

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/pinflow/pinflow/activities/landing"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/starter/term"
)

// Landing prints what landing a date would do, for each topic.
func (v *View) Landing(date dates.Date, topics []landing.Preview) {
	v.Say("Landing of %s. Nothing was changed.", v.Paint(text.Bold, string(date)))
	for _, topic := range topics {
		v.Say("")
		if topic.Refused != "" {
			v.Say("%s: %s", v.Paint(text.Bold, topic.Topic), v.Wrapped(topic.Refused))
			continue
		}
		until := ""
		if topic.Partial {
			until = fmt.Sprintf(" up to %s UTC, as the date is not over", term.Moment(topic.Until))
		}
		lost := ""
		if topic.Lost > 0 {
			lost = v.Paint(text.FgRed, fmt.Sprintf(", %s lost", term.Count(topic.Lost, "offset")))
		}
		v.Say("%s: %s left%s%s", v.Paint(text.Bold, topic.Topic), term.Count(topic.Left, "offset"), until, lost)
		v.PrintTable(landingTable(topic))
		for _, partition := range topic.Unplanned {
			v.Say("Retention had deleted everything before the date in partition %d when the topic was first planned: records may be missing.", partition)
		}
	}
}

func landingTable(topic landing.Preview) term.Table {
	content := term.Table{
		Header: []string{"partition", "log", "objects", "records", "left", "offsets", "lost"},
		Right:  []int{0, 1, 2, 3, 4}, Optional: []int{1},
	}
	for _, p := range topic.Partitions {
		left, offsets := p.End-p.Start, "-"
		for _, lost := range p.Lost {
			left -= lost.Offsets()
		}
		if !p.Empty() {
			offsets = fmt.Sprintf("%d to %d", p.Start, p.End-1)
		}
		var gone []string
		for _, lost := range append(p.Gone, p.Lost...) {
			gone = append(gone, fmt.Sprintf("%d to %d (%s)", lost.Start, lost.End-1, lost.Cause))
		}
		content.Rows = append(content.Rows, []string{
			strconv.Itoa(p.Partition), strconv.Itoa(p.Generation), strconv.Itoa(p.Objects), strconv.FormatInt(p.Records, 10),
			strconv.FormatInt(left, 10), offsets, strings.Join(gone, ", "),
		})
	}
	return content
}
