package report

import (
	"html/template"
	"strings"
	"unicode"

	"github.com/pinflow/pinflow/internal/answers"
)

// section is an answer on the page.
type section struct {
	answers.Answer
	Chart figure
	Cells [][]cell
}

// figure is the chart of an answer; its SVG is empty if the answer has none.
type figure struct {
	SVG     template.HTML
	Caption string
}

// cell is a value of a table. Its Text is for the reader.
type cell struct {
	Text   string
	Number bool
	Head   bool // names its row
}

// openRows is how many rows a table has at most to be shown at once. A longer one opens on a tap: on
// a phone it would be many screens.
const openRows = 15

func newSection(answer answers.Answer) (section, error) {
	chart, err := chartOf(answer)
	s := section{Answer: answer, Chart: chart, Cells: make([][]cell, len(answer.Rows))}
	for i, row := range answer.Rows {
		for j, value := range row {
			s.Cells[i] = append(s.Cells[i], cell{
				Text: written(value, answer.Columns[j].Kind), Number: s.Number(j), Head: j == 0,
			})
		}
	}
	return s, err
}

// Open reports whether the table is shown at once.
func (s section) Open() bool { return len(s.Rows) <= openRows }

// Number reports whether the values of a column are numbers that one compares by their length.
func (s section) Number(column int) bool {
	kind := s.Columns[column].Kind
	return kind == answers.Integer || kind == answers.Float
}

// capital returns a text with a capital at its start.
func capital(s string) string {
	for i, first := range s {
		return s[:i] + string(unicode.ToUpper(first)) + s[i+len(string(first)):]
	}
	return s
}

// sentence joins texts to one that says no more than the first few.
func sentence(all []string, most int) string {
	if len(all) > most {
		return strings.Join(all[:most], "; ") + "; …"
	}
	return strings.Join(all, "; ")
}
