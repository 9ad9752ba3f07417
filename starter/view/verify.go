package view

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/starter/term"
	"github.com/pinflow/pinflow/starter/verify"
)

// Verification prints what a verification has found: what is there, what is wrong and what to do
// about it, and what could not be checked.
func (v *View) Verification(report verify.Report) {
	v.PrintTable(v.verified(report))
	for _, problem := range report.Problems {
		v.Say("\n%s %s", v.Paint(text.FgRed, "WRONG"), v.Hanging(v.Paint(text.Bold, placeOf(problem))+": "+problem.What, 6))
		v.Say("      %s", v.Hanging(problem.Next, 6))
	}
	for i, lost := range report.Lost {
		if i == 0 {
			v.Say("")
		}
		v.Say("%s %s", v.Paint(text.FgYellow, "LOST"), v.Hanging(lostText(lost), 5))
	}
	for i, group := range groupUnchecked(report.Unchecked) {
		if i == 0 {
			v.Say("")
		}
		v.Say("%s %s", v.Paint(text.FgYellow, "NOT CHECKED"), v.Hanging(group, 12))
	}
	v.Say("\n%s", v.verdict(report))
}

// verified is the table of what is there.
func (v *View) verified(report verify.Report) term.Table {
	content := term.Table{
		Header: []string{"date", "topic", "state", "objects", "records", "in Kafka", "raw", "silver", "quarantine", "older", ""},
		Right:  []int{3, 4, 5, 6, 7, 8, 9},
	}
	for _, landed := range report.Topics {
		state, mark := string(landed.State), v.Paint(text.FgGreen, "ok")
		if landed.Until != nil {
			state = "until " + term.Moment(*landed.Until)
		}
		if landed.Problems > 0 {
			mark = v.Paint(text.FgRed, term.Count(int64(landed.Problems), "problem"))
		} else if landed.State == verify.NotLanded {
			mark = ""
		}
		row := []string{string(landed.Date), landed.Topic, state, fmt.Sprint(landed.Objects), fmt.Sprint(landed.Records), fmt.Sprint(landed.Kafka), "", "", "", "", mark}
		if t := landed.Tables; t != nil {
			row[6], row[7], row[8], row[9] = fmt.Sprint(t.Raw), fmt.Sprint(t.Rows), fmt.Sprint(t.Quarantined), fmt.Sprint(t.Older)
		}
		content.Rows = append(content.Rows, row)
	}
	if !slices.ContainsFunc(report.Topics, func(l verify.Landed) bool { return l.Tables != nil }) {
		for _, column := range []string{"raw", "silver", "quarantine", "older"} {
			content.Leave(column)
		}
	}
	return content
}

// placeOf names the place of a problem.
func placeOf(p verify.Problem) string {
	words := []string{string(p.Date), p.Topic}
	if p.Partition != nil {
		words = append(words, fmt.Sprintf("partition %d", *p.Partition))
	}
	if p.Offset != nil {
		words = append(words, fmt.Sprintf("offset %d", *p.Offset))
	}
	if p.Table != "" {
		words = append(words, "table "+p.Table)
	}
	if p.Object != "" {
		words = append(words, p.Object)
	}
	return strings.Join(words, " ")
}

// lostText says which offsets Kafka lost before they landed, and who has accepted that.
func lostText(lost verify.Lost) string {
	text := fmt.Sprintf("%s %s partition %d: offsets %d to %d ", lost.Date, lost.Topic, lost.Partition, lost.Start, lost.End-1)
	switch accepted := lost.Accepted; {
	case lost.BeforeFirstPlan:
		return text + "had been deleted when the topic was first planned; records of the date may have been among them"
	case accepted != nil:
		return text + fmt.Sprintf("left Kafka before they landed (%s); %s accepted it: %s", lost.Cause, cmp.Or(accepted.By, "an operator"), accepted.Reason)
	}
	return text + fmt.Sprintf("left Kafka before they landed (%s)", lost.Cause)
}

// groupUnchecked joins what could not be checked for the same reason: a year of dates whose records
// have left Kafka is a line.
func groupUnchecked(all []verify.Unchecked) []string {
	type group struct {
		what, why string
		days      []dates.Date
		topics    []string
	}
	var groups []*group
	for _, one := range all {
		i := slices.IndexFunc(groups, func(g *group) bool { return g.what == one.What && g.why == one.Why })
		if i < 0 {
			i = len(groups)
			groups = append(groups, &group{what: one.What, why: one.Why})
		}
		g := groups[i]
		if one.Date != "" && !slices.Contains(g.days, one.Date) {
			g.days = append(g.days, one.Date)
		}
		if one.Topic != "" && !slices.Contains(g.topics, one.Topic) {
			g.topics = append(g.topics, one.Topic)
		}
	}
	lines := make([]string, len(groups))
	for i, g := range groups {
		where := ""
		switch len(g.days) {
		case 0:
		case 1:
			where = " of " + string(g.days[0])
		default:
			where = fmt.Sprintf(" of %d dates from %s to %s", len(g.days), slices.Min(g.days), slices.Max(g.days))
		}
		if len(g.topics) > 0 {
			where += " (" + term.Join(g.topics) + ")"
		}
		lines[i] = g.what + where + ": " + g.why
	}
	return lines
}

// verdict sums a verification up.
func (v *View) verdict(report verify.Report) string {
	var records int64
	for _, landed := range report.Topics {
		records += landed.Records
	}
	switch {
	case len(report.Problems) > 0:
		return v.Paint(text.FgRed, term.Count(int64(len(report.Problems)), "problem")) + " in " + term.Count(records, "record") + "."
	case len(report.Unchecked) > 0:
		return "Nothing is wrong in " + term.Count(records, "record") + ", as far as it was checked."
	}
	without := ""
	if len(report.Lost) > 0 {
		without = ", except for what Kafka lost before it landed"
	}
	return v.Paint(text.FgGreen, "Proven") + ": none of " + term.Count(records, "record") + " is missing or doubled" + without + "."
}
