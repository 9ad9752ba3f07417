package activities

import (
	"context"
	"fmt"
	"slices"
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
	// Dates are the dates that the notebook handled.
	Dates []dates.Date `json:"dates"`
	// Cleans is the kind of record that the notebook cleans: the valid rows of <kind>_by_date, and the
	// rows of <kind>_quarantine and raw, are counted for each date.
	Cleans string `json:"cleans,omitempty"`
	// Rebuilds holds the tables that the notebook replaces: all their rows are counted.
	Rebuilds []string `json:"rebuilds,omitempty"`
}

// RowCounts holds the numbers of rows that a notebook left.
type RowCounts struct {
	// Counted is false if the worker has no SQL warehouse.
	Counted bool `json:"counted"`
	// Dates holds the counts of each date, in the order of the input.
	Dates []DateCounts `json:"dates,omitempty"`
	// Tables holds the counts of the tables that the notebook replaces.
	Tables []run.TableRows `json:"tables,omitempty"`
}

// DateCounts holds the numbers of rows of one date. Rows includes those of the replaced tables.
type DateCounts struct {
	Rows        int64 `json:"rows,omitempty"`
	Records     int64 `json:"records,omitempty"`
	Quarantined int64 `json:"quarantined,omitempty"`
}

// Counting counts rows on a SQL warehouse.
type Counting struct {
	// Warehouse is nil if none is configured: then nothing is counted.
	Warehouse Warehouse
	Topics    run.Topics
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
	counts := RowCounts{Counted: true, Dates: make([]DateCounts, len(in.Dates))}
	var rebuilt int64
	for _, row := range rows {
		name, date, n, err := countRow(row)
		if err != nil {
			return RowCounts{}, err
		}
		if date == "" {
			counts.Tables = append(counts.Tables, run.TableRows{Table: name, Rows: n})
			rebuilt += n
			continue
		}
		at := slices.Index(in.Dates, date)
		if at < 0 {
			return RowCounts{}, fmt.Errorf("count rows of %s: the SQL warehouse returned date %q, which was not asked for", name, date)
		}
		switch of := &counts.Dates[at]; name {
		case in.Cleans:
			of.Rows = n
		case "raw":
			of.Records = n
		case quarantine(in.Cleans):
			of.Quarantined = n
		}
	}
	for i := range counts.Dates {
		counts.Dates[i].Rows += rebuilt
	}
	return counts, nil
}

func quarantine(kind string) string { return kind + "_quarantine" }

// statement returns one row for each table and date that has rows, in the order of the input.
func (c *Counting) statement(in CountRowsInput) string {
	var parts []string
	count := func(name, table, date, where string) {
		parts = append(parts, fmt.Sprintf("SELECT %d AS place, '%s' AS name, %s AS counted_date, count(*) AS n FROM %s%s",
			len(parts), name, date, c.Warehouse.Name(table), where))
	}
	if in.Cleans != "" {
		days := make([]string, len(in.Dates))
		for i, date := range in.Dates {
			days[i] = fmt.Sprintf("DATE'%s'", date)
		}
		dates := " WHERE logical_date IN (" + strings.Join(days, ", ") + ")"
		topic := dates + " AND topic IN " + c.Topics.In(in.Cleans)
		const day, each = "CAST(logical_date AS STRING)", " GROUP BY logical_date"
		// The view <kind> has the latest row of each key: a later date would lower the count.
		count(in.Cleans, in.Cleans+"_by_date", day, dates+" AND reason IS NULL"+each)
		count(quarantine(in.Cleans), quarantine(in.Cleans), day, topic+each)
		count("raw", "raw", day, topic+each)
	}
	for _, table := range in.Rebuilds {
		count(table, table, "''", "")
	}
	return "SELECT name, counted_date, n FROM (" + strings.Join(parts, " UNION ALL ") + ") AS counts ORDER BY place"
}

func countRow(row []string) (name string, date dates.Date, n int64, err error) {
	if len(row) != 3 {
		return "", "", 0, fmt.Errorf("count rows: the SQL warehouse returned %d columns, want a name, a date and a number", len(row))
	}
	if n, err = strconv.ParseInt(row[2], 10, 64); err != nil {
		return "", "", 0, fmt.Errorf("count rows of %s: %w", row[0], err)
	}
	return row[0], dates.Date(row[1]), n, nil
}
