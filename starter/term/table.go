package term

import (
	"fmt"
	"io"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// Table is a table.
type Table struct {
	Title  string
	Header []string
	// Right holds the indexes of columns that are aligned to the right, as numbers are.
	Right []int
	Rows  [][]string
}

// PrintTable writes a table to standard output.
func (t *Term) PrintTable(content Table) { t.WriteTable(t.Out, content) }

// WriteTable writes a table.
func (t *Term) WriteTable(w io.Writer, content Table) {
	out := table.NewWriter()
	style := table.StyleLight
	style.Options = table.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "   "
	style.Format.Header = text.FormatUpper
	style.Title.Align = text.AlignLeft
	out.SetStyle(style)
	out.SuppressTrailingSpaces()
	if content.Title != "" {
		fmt.Fprintln(w, t.Paint(text.Bold, content.Title))
	}
	if len(content.Header) > 0 {
		out.AppendHeader(cells(content.Header))
	}
	var columns []table.ColumnConfig
	for _, i := range content.Right {
		columns = append(columns, table.ColumnConfig{Number: i + 1, Align: text.AlignRight, AlignHeader: text.AlignRight})
	}
	out.SetColumnConfigs(columns)
	for _, row := range content.Rows {
		out.AppendRow(cells(row))
	}
	fmt.Fprintln(w, out.Render())
}

func cells(values []string) table.Row {
	row := make(table.Row, len(values))
	for i, v := range values {
		row[i] = v
	}
	return row
}

// FitTable cuts the lines in the last column of a table so that its rows fit the width.
func (t *Term) FitTable(g *Table, last, width int) {
	const padding = 3
	taken := 0
	for column := range last {
		widest := text.StringWidthWithoutEscSequences(g.Header[column])
		for _, row := range g.Rows {
			if column < len(row) && len(row) > 1 {
				widest = max(widest, text.StringWidthWithoutEscSequences(row[column]))
			}
		}
		taken += widest + padding
	}
	for _, row := range g.Rows {
		if len(row) > last {
			var lines []string
			for line := range strings.SplitSeq(row[last], "\n") {
				lines = append(lines, FirstLine(line, max(10, width-taken)))
			}
			row[last] = strings.Join(lines, "\n")
		}
	}
}
