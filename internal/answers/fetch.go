package answers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/databricks/databricks-sdk-go/service/sql"
	"golang.org/x/sync/errgroup"
)

// parallelStatements is how many statements run at a time. A small warehouse runs ten.
const parallelStatements = 4

// Answer is a table with its rows. A value is a string, an int64 or a float64, as the kind of its
// column says, or nil for NULL. The rows are sorted by their columns, from left to right.
type Answer struct {
	Table
	Rows [][]any
}

// Fetch reads one table. Columns that are not given are those of the table in the warehouse. The
// error is ErrMissing if no run has created the table yet.
func (w *Warehouse) Fetch(ctx context.Context, table Table) (Answer, error) {
	columns := "*"
	if len(table.Columns) > 0 {
		columns = strings.Join(table.ColumnNames(), ", ")
	}
	result, err := w.query(ctx, "SELECT "+columns+" FROM "+w.Name(table.Name))
	if err != nil {
		return Answer{}, w.explain(table.Name, err)
	}
	if len(table.Columns) == 0 {
		table.Columns = columnsOf(result.columns)
	}
	answer := Answer{Table: table, Rows: make([][]any, len(result.rows))}
	for i, text := range result.rows {
		if answer.Rows[i], err = table.parse(text); err != nil {
			return Answer{}, fmt.Errorf("answer %s: %w", table.Name, err)
		}
	}
	slices.SortFunc(answer.Rows, compareRows)
	return answer, nil
}

// columnsOf returns the columns of a table that the warehouse describes. Numbers that may lie
// between two whole ones are floats; what is not a number is text.
func columnsOf(described []sql.ColumnInfo) []Column {
	columns := make([]Column, len(described))
	for i, column := range described {
		columns[i] = Column{Name: column.Name, Title: column.Name, Kind: Text}
		switch column.TypeName {
		case sql.ColumnInfoTypeNameByte, sql.ColumnInfoTypeNameShort, sql.ColumnInfoTypeNameInt, sql.ColumnInfoTypeNameLong:
			columns[i].Kind = Integer
		case sql.ColumnInfoTypeNameFloat, sql.ColumnInfoTypeNameDouble, sql.ColumnInfoTypeNameDecimal:
			columns[i].Kind = Float
		}
	}
	return columns
}

// FetchAll reads these tables, several at a time, and returns them in this order.
func (w *Warehouse) FetchAll(ctx context.Context, tables []Table) ([]Answer, error) {
	all := make([]Answer, len(tables))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallelStatements)
	for i, table := range tables {
		group.Go(func() (err error) {
			all[i], err = w.Fetch(ctx, table)
			return err
		})
	}
	return all, group.Wait()
}

// explain returns an error that says what to do about a table that does not exist.
func (w *Warehouse) explain(table string, err error) error {
	if errors.Is(err, ErrMissing) {
		return fmt.Errorf("no answers yet in schema %s: run the DAG first, with `starter run` (table %s: %w)", w.Schema, table, err)
	}
	return fmt.Errorf("table %s: %w", table, err)
}

// parse returns the values of a row with their types.
func (t Table) parse(text []string) ([]any, error) {
	if len(text) != len(t.Columns) {
		return nil, fmt.Errorf("a row has %d values, want %d", len(text), len(t.Columns))
	}
	row := make([]any, len(text))
	for i, column := range t.Columns {
		var err error
		switch {
		case text[i] == "": // NULL
		case column.Kind == Integer, column.Kind == Year:
			row[i], err = strconv.ParseInt(text[i], 10, 64)
		case column.Kind == Float:
			row[i], err = strconv.ParseFloat(text[i], 64)
		default:
			row[i] = text[i]
		}
		if err != nil {
			return nil, fmt.Errorf("column %s: %q is not a number", column.Name, text[i])
		}
	}
	return row, nil
}

// compareRows orders rows by their values, texts by their code points, so that the order does not
// depend on the collation of a warehouse.
func compareRows(a, b []any) int {
	for i := range a {
		if c := compareValues(a[i], b[i]); c != 0 {
			return c
		}
	}
	return 0
}

func compareValues(a, b any) int {
	switch a := a.(type) {
	case string:
		if b, ok := b.(string); ok {
			return cmp.Compare(a, b)
		}
	case int64:
		if b, ok := b.(int64); ok {
			return cmp.Compare(a, b)
		}
	case float64:
		if b, ok := b.(float64); ok {
			return cmp.Compare(a, b)
		}
	}
	switch { // NULL comes first
	case a == nil && b == nil:
		return 0
	case a == nil:
		return -1
	}
	return 1
}
