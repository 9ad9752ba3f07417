package term

import (
	"fmt"
	"io"
	"slices"
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
	// Optional holds the indexes of columns that Shrink may leave out, the first one first.
	Optional []int
}

// PrintTable writes a table to standard output.
func (t *Term) PrintTable(content Table) { t.WriteTable(t.Out, content) }

// WriteTable writes a table.
func (t *Term) WriteTable(w io.Writer, content Table) {
	out := table.NewWriter()
	style := table.StyleLight
	style.Options = table.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft, style.Box.PaddingRight = "", strings.Repeat(" ", padding)
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

// padding is the number of blanks between two columns.
const padding = 3

// Shrink leaves out optional columns until the table fits the width, and reports whether it left out
// one.
func (g *Table) Shrink(width int) (shrunk bool) {
	for len(g.Optional) > 0 && g.width(len(g.Header)) > width {
		g.leaveOut(g.Optional[0])
		shrunk = true
	}
	return shrunk
}

// Leave leaves out the column with that header.
func (g *Table) Leave(header string) { g.leaveOut(slices.Index(g.Header, header)) }

// leaveOut removes a column.
func (g *Table) leaveOut(column int) {
	without := func(indexes []int) []int {
		var rest []int
		for _, i := range indexes {
			switch {
			case i < column:
				rest = append(rest, i)
			case i > column:
				rest = append(rest, i-1)
			}
		}
		return rest
	}
	g.Header = slices.Delete(slices.Clone(g.Header), column, column+1)
	for i, row := range g.Rows {
		if column < len(row) {
			g.Rows[i] = slices.Delete(slices.Clone(row), column, column+1)
		}
	}
	g.Right, g.Optional = without(g.Right), without(g.Optional)
}

// width returns how wide the first columns are, with the blanks between them.
func (g *Table) width(columns int) int {
	taken := 0
	for column := range columns {
		widest := text.StringWidthWithoutEscSequences(g.Header[column])
		for _, row := range g.Rows {
			if column < len(row) && len(row) > 1 {
				widest = max(widest, text.LongestLineLen(row[column]))
			}
		}
		taken += widest + padding
	}
	return max(0, taken-padding)
}

// CutMiddle cuts the values of the last column in their middle so that the rows fit the width, and
// reports whether it cut one.
func (g *Table) CutMiddle(last, width int) (cut bool) {
	room := max(10, width-g.width(last)-padding)
	for _, row := range g.Rows {
		if len(row) > last {
			short := ShortMiddle(row[last], room)
			cut = cut || short != row[last]
			row[last] = short
		}
	}
	return cut
}

// FitTable cuts the lines in the last column of a table so that its rows fit the width.
func (t *Term) FitTable(g *Table, last, width int) {
	taken := g.width(last) + padding
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
