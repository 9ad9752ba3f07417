package view

import (
	"encoding/csv"
	"encoding/json"
	"strconv"

	"github.com/pinflow/pinflow/internal/answers"
	"github.com/pinflow/pinflow/starter/term"
)

// PrintAnswers prints answers as tables.
func (v *View) PrintAnswers(all []answers.Answer) {
	for i, answer := range all {
		if i > 0 {
			v.Say("")
		}
		v.PrintAnswer(answer)
	}
}

// PrintAnswer prints an answer as a table.
func (v *View) PrintAnswer(answer answers.Answer) {
	g := term.Table{Title: answer.Title, Header: answer.ColumnTitles()}
	for i, column := range answer.Columns {
		if column.Kind != answers.Text {
			g.Right = append(g.Right, i)
		}
	}
	for _, row := range answer.Rows {
		g.Rows = append(g.Rows, texts(row))
	}
	v.PrintTable(g)
}

// PrintCSV prints an answer as CSV, with a header.
func (v *View) PrintCSV(answer answers.Answer) error {
	w := csv.NewWriter(v.Out)
	if err := w.Write(answer.ColumnNames()); err != nil {
		return err
	}
	for _, row := range answer.Rows {
		if err := w.Write(texts(row)); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}

// texts returns the values of a row as text; NULL is empty.
func texts(row []any) []string {
	all := make([]string, len(row))
	for i, value := range row {
		switch v := value.(type) {
		case string:
			all[i] = v
		case int64:
			all[i] = strconv.FormatInt(v, 10)
		case float64:
			all[i] = strconv.FormatFloat(v, 'f', -1, 64)
		}
	}
	return all
}

// MarshalAnswers returns the document that `starter answers -o json` prints, as a file.
func MarshalAnswers(export answers.Export) ([]byte, error) {
	document, err := json.MarshalIndent(export, "", "  ")
	return append(document, '\n'), err
}
