package view

import (
	"fmt"

	"github.com/pinflow/pinflow/starter/imports"
	"github.com/pinflow/pinflow/starter/term"
)

// Importing shows the progress of an import. The caller ends it with end.
func (v *View) Importing() (report func(done, total int), end func()) {
	bar := v.StartProgress("importing", 0)
	return func(done, total int) {
		bar.Total = int64(total)
		bar.Set(int64(done), "")
	}, bar.End
}

// ImportPlan prints what an import would do.
func (v *View) ImportPlan(r imports.Result) {
	v.importTopics(r)
	if r.Continued > 0 {
		v.Say("%s an interrupted import has left would be imported first.", term.Count(int64(r.Continued), "object"))
	}
	if !r.Written() {
		v.Say("Nothing is left to import from %s.", r.From)
		return
	}
	v.Say("%s, %.1f MB, would be imported from %s. Nothing was changed.", term.Count(int64(r.Files), "object"), float64(r.Bytes)/1e6, r.From)
}

// Imported prints what was imported, and what to run next.
func (v *View) Imported(r imports.Result, command func(args string) string) {
	v.importTopics(r)
	if !r.Written() {
		v.Say("Nothing was left to import from %s.", r.From)
		return
	}
	v.Say("Imported %s of %s from %s as %s.", term.Count(r.Records, "record"), term.Count(int64(r.Files+r.Continued), "object"), r.From,
		term.Count(int64(r.Objects), "object"))
	for _, args := range r.Commands() {
		v.Say("Next: `%s`", command(args))
	}
}

// importTopics prints the new objects of each topic, and what is left out.
func (v *View) importTopics(r imports.Result) {
	if len(r.Topics) > 0 {
		g := term.Table{Header: []string{"topic", "imported into", "objects", "bytes", "dates"}, Right: []int{2, 3}}
		for _, t := range r.Topics {
			days := string(t.From)
			if t.To != t.From {
				days += " to " + string(t.To)
			}
			g.Rows = append(g.Rows, []string{t.Topic, t.Into, fmt.Sprint(t.Files), fmt.Sprint(t.Bytes), days})
		}
		v.PrintTable(g)
	}
	for _, left := range []struct {
		count int
		why   string
	}{
		{r.Before, "imported before"}, {r.NotChosen, "left out: of topics that --topic does not name"}, {r.Others, "left out: the other pipeline does not write such objects"},
	} {
		if left.count > 0 {
			v.Say("%s %s.", term.Count(int64(left.count), "object"), left.why)
		}
	}
}
