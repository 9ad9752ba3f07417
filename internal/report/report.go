// Package report writes the answers as a page for those who do not use a terminal: one HTML file with
// tables, charts, where they come from, and how much was quarantined. The file needs nothing else:
// no network, no script, no font.
package report

import (
	_ "embed" // the page and its style
	"fmt"
	"html/template"
	"io"
	"time"

	"github.com/pinflow/pinflow/internal/answers"
	"github.com/pinflow/pinflow/internal/run"
)

// Report is what the page tells.
type Report struct {
	// DAG is the DAG that rebuilds the answers, Deployment and Schema where.
	DAG        string
	Deployment run.Deployment
	Schema     string
	// Written is when the report was made.
	Written time.Time
	// Answers holds the tables, in the order of the page.
	Answers []answers.Answer
	// Origins says what has rebuilt the tables last; empty if the ledger does not know.
	Origins []Origin
	// Quarantine holds the kinds of record that are cleaned.
	Quarantine []answers.Share
}

//go:embed page.html
var pageSource string

//go:embed style.css
var style string

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"style":  func() template.CSS { return template.CSS(style) },
	"moment": func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") + " UTC" },
	"stamp":  func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"count":  func(n int64) string { return whole(n) },
	"share":  share,
}).Parse(pageSource))

// WriteHTML writes the page. All texts of the report are escaped.
func (r Report) WriteHTML(w io.Writer) error {
	sections := make([]section, len(r.Answers))
	for i, answer := range r.Answers {
		var err error
		if sections[i], err = newSection(answer); err != nil {
			return fmt.Errorf("chart of %s: %w", answer.Name, err)
		}
	}
	return page.Execute(w, struct {
		Report
		Sections []section
	}{r, sections})
}
