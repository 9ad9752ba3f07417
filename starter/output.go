package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"
)

// Forms of output, as -o names them.
const (
	formTable = "table"
	formJSON  = "json"
	formCSV   = "csv"
)

// prints declares the forms in which a command prints its data; the first is the default.
func prints(c *cobra.Command, forms ...string) *cobra.Command {
	if c.Annotations == nil {
		c.Annotations = map[string]string{}
	}
	c.Annotations[annotationForms] = strings.Join(forms, " ")
	return c
}

// printJSON writes a value for programs, indented.
func (a *app) printJSON(value any) error {
	encoder := json.NewEncoder(a.stdout)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}

// say writes a line for the reader to standard output.
func (a *app) say(format string, args ...any) {
	fmt.Fprintf(a.stdout, format+"\n", args...)
}

// note writes a line about the work, not its result, to standard error: programs that read the output do not meet it.
func (a *app) note(format string, args ...any) {
	fmt.Fprintf(a.stderr, format+"\n", args...)
}

// grid is a table for the reader.
type grid struct {
	title  string
	header []string
	right  []int // indexes of the columns that are aligned to the right: numbers
	rows   [][]string
}

// printGrid writes a table to standard output.
func (a *app) printGrid(g grid) { a.writeGrid(a.stdout, g) }

func (a *app) writeGrid(w io.Writer, g grid) {
	t := table.NewWriter()
	style := table.StyleLight
	style.Options = table.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "   "
	style.Format.Header = text.FormatUpper
	style.Title.Align = text.AlignLeft
	t.SetStyle(style)
	t.SuppressTrailingSpaces()
	if g.title != "" {
		fmt.Fprintln(w, a.paint(text.Bold, g.title))
	}
	if len(g.header) > 0 {
		t.AppendHeader(cells(g.header))
	}
	var columns []table.ColumnConfig
	for _, i := range g.right {
		columns = append(columns, table.ColumnConfig{Number: i + 1, Align: text.AlignRight, AlignHeader: text.AlignRight})
	}
	t.SetColumnConfigs(columns)
	for _, row := range g.rows {
		t.AppendRow(cells(row))
	}
	fmt.Fprintln(w, t.Render())
}

func cells(values []string) table.Row {
	row := make(table.Row, len(values))
	for i, v := range values {
		row[i] = v
	}
	return row
}

// paint colours a text if the reader wants colours.
func (a *app) paint(colour text.Color, s string) string {
	if !a.colour || s == "" {
		return s
	}
	return text.Escape(s, colour.EscapeSeq())
}

// duration writes a length of time as short as its size allows: 0.3s, 12.4s, 3m05s, 2h07m.
func duration(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < time.Hour:
		d = d.Round(time.Second)
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	}
	d = d.Round(time.Minute)
	return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
}

// moment writes a point in time in UTC, to the second; the zero time as nothing.
func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

// firstLine is the first line of a text, cut to a number of characters: a table has one line a row.
func firstLine(s string, limit int) string {
	line, _, more := strings.Cut(strings.TrimSpace(s), "\n")
	if runes := []rune(line); len(runes) > limit {
		line, more = string(runes[:limit-1]), true
	}
	if more {
		line += "…"
	}
	return line
}

// paintDiff colours a unified diff line by line.
func (a *app) paintDiff(diff string) string {
	if !a.colour {
		return diff
	}
	lines := strings.SplitAfter(diff, "\n")
	for i, line := range lines {
		body := strings.TrimSuffix(line, "\n")
		end := line[len(body):]
		switch {
		case strings.HasPrefix(body, "+++"), strings.HasPrefix(body, "---"):
			lines[i] = a.paint(text.Bold, body) + end
		case strings.HasPrefix(body, "+"):
			lines[i] = a.paint(text.FgGreen, body) + end
		case strings.HasPrefix(body, "-"):
			lines[i] = a.paint(text.FgRed, body) + end
		case strings.HasPrefix(body, "@@"):
			lines[i] = a.paint(text.FgCyan, body) + end
		}
	}
	return strings.Join(lines, "")
}
