package activities

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/run"
)

// Warehouse runs a statement on a SQL warehouse and returns its rows, every value as text.
type Warehouse interface {
	Query(ctx context.Context, statement string) ([][]string, error)
	// Name returns the qualified and quoted name of a table of the schema.
	Name(table string) string
}

// CountRowsInput selects what to count after a notebook.
type CountRowsInput struct {
	Date dates.Date `json:"date"`
	// Cleans is the kind of record that the notebook cleans: the date's rows of <kind>,
	// <kind>_quarantine and raw are counted.
	Cleans string `json:"cleans,omitempty"`
	// Rebuilds holds the tables that the notebook replaces: all their rows are counted.
	Rebuilds []string `json:"rebuilds,omitempty"`
}

// RowCounts holds the numbers of rows that a notebook left.
type RowCounts struct {
	// Counted is false if the worker has no SQL warehouse.
	Counted     bool            `json:"counted"`
	Rows        int64           `json:"rows,omitempty"`
	Records     int64           `json:"records,omitempty"`
	Quarantined int64           `json:"quarantined,omitempty"`
	Tables      []run.TableRows `json:"tables,omitempty"`
}

// Counting counts rows on a SQL warehouse.
type Counting struct {
	// Warehouse is nil if none is configured: then nothing is counted.
	Warehouse Warehouse
	UserID    string // prefix of the topics
}

// CountRows counts the rows that a notebook left, in one statement.
func (c *Counting) CountRows(ctx context.Context, in CountRowsInput) (RowCounts, error) {
	if c.Warehouse == nil {
		return RowCounts{}, nil
	}
	rows, err := c.Warehouse.Query(ctx, c.statement(in))
	if err != nil {
		return RowCounts{}, databricksError(ctx, "count rows on the SQL warehouse", err)
	}
	counts := RowCounts{Counted: true}
	for _, row := range rows {
		name, n, err := countRow(row)
		switch {
		case err != nil:
			return RowCounts{}, err
		case in.Cleans != "" && name == in.Cleans:
			counts.Rows = n
		case in.Cleans != "" && name == "raw":
			counts.Records = n
		case in.Cleans != "" && name == quarantine(in.Cleans):
			counts.Quarantined = n
		default:
			counts.Tables = append(counts.Tables, run.TableRows{Table: name, Rows: n})
			counts.Rows += n
		}
	}
	return counts, nil
}

func quarantine(kind string) string { return kind + "_quarantine" }

// statement returns one row for each table, in the order of the input.
func (c *Counting) statement(in CountRowsInput) string {
	var parts []string
	count := func(table, where string) {
		parts = append(parts, fmt.Sprintf("SELECT %d AS place, '%s' AS name, count(*) AS n FROM %s%s", len(parts), table, c.Warehouse.Name(table), where))
	}
	if in.Cleans != "" {
		date := fmt.Sprintf(" WHERE logical_date = DATE'%s'", in.Date)
		topic := fmt.Sprintf("%s AND topic = '%s.%s'", date, strings.ReplaceAll(c.UserID, "'", `\'`), in.Cleans)
		count(in.Cleans, date)
		count(quarantine(in.Cleans), topic)
		count("raw", topic)
	}
	for _, table := range in.Rebuilds {
		count(table, "")
	}
	return "SELECT name, n FROM (" + strings.Join(parts, " UNION ALL ") + ") AS counts ORDER BY place"
}

func countRow(row []string) (name string, n int64, err error) {
	if len(row) != 2 {
		return "", 0, fmt.Errorf("count rows: the SQL warehouse returned %d columns, want a name and a number", len(row))
	}
	if n, err = strconv.ParseInt(row[1], 10, 64); err != nil {
		return "", 0, fmt.Errorf("count rows of %s: %w", row[0], err)
	}
	return row[0], n, nil
}
