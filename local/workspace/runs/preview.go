package runs

import (
	"github.com/pinflow/pinflow/local/engine"
	"github.com/pinflow/pinflow/local/workspace/cell"
)

// Limits of the last result of a notebook on the page of its run.
const (
	previewRows  = 50
	previewCell  = 400 // bytes of a cell
	previewWidth = 40  // columns
)

// preview is the beginning of a result, as text. A nil cell is NULL.
type preview struct {
	Columns   []string    `json:"columns"`
	Rows      [][]*string `json:"rows"`
	TotalRows int         `json:"total_rows"`
}

// newPreview returns the beginning of a table; nil if it is empty.
func newPreview(table *engine.Table) *preview {
	if table == nil || len(table.Columns) == 0 {
		return nil
	}
	p := &preview{TotalRows: len(table.Rows)}
	columns := table.Columns[:min(len(table.Columns), previewWidth)]
	for _, c := range columns {
		p.Columns = append(p.Columns, c.Name)
	}
	for _, row := range table.Rows[:min(len(table.Rows), previewRows)] {
		cells := make([]*string, len(columns))
		for i, c := range columns {
			if text := cell.Text(row[i], c.Type); text != nil {
				cut := shorten(*text, previewCell)
				cells[i] = &cut
			}
		}
		p.Rows = append(p.Rows, cells)
	}
	return p
}

// shorten cuts a text to limit bytes, between characters.
func shorten(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	end := 0
	for i := range text {
		if i > limit {
			break
		}
		end = i
	}
	return text[:end] + "…"
}
