package answers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"
)

// parallelStatements is how many statements are asked at once. A small warehouse runs ten.
const parallelStatements = 4

// Kinds are the three kinds of records. Each has a silver table of its name, and a quarantine beside it.
var Kinds = []string{"pin", "geo", "user"}

// Answer is an answer with its rows. A value is a string, an int64 or a float64, as its column's kind says, or nil for NULL.
// The rows are sorted by their columns, from left to right.
type Answer struct {
	Table
	Rows [][]any
}

// Fetch reads one answer. ErrMissing says that it has not been given yet.
func (w *Warehouse) Fetch(ctx context.Context, table Table) (Answer, error) {
	texts, err := w.Query(ctx, "SELECT "+strings.Join(table.ColumnNames(), ", ")+" FROM "+w.Name(table.Name))
	if err != nil {
		return Answer{}, w.explain(table.Name, err)
	}
	answer := Answer{Table: table, Rows: make([][]any, len(texts))}
	for i, text := range texts {
		if answer.Rows[i], err = table.parse(text); err != nil {
			return Answer{}, fmt.Errorf("answer %s: %w", table.Name, err)
		}
	}
	slices.SortFunc(answer.Rows, compareRows)
	return answer, nil
}

// FetchAll reads these answers, several at a time, and returns them in this order.
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

// explain says what to do about a table that is not there.
func (w *Warehouse) explain(table string, err error) error {
	if errors.Is(err, ErrMissing) {
		return fmt.Errorf("no answers yet in schema %s: run the DAG with `starter run` (table %s: %w)", w.Schema, table, err)
	}
	return fmt.Errorf("table %s: %w", table, err)
}

// parse gives the values of a row their types.
func (t Table) parse(text []string) ([]any, error) {
	if len(text) != len(t.Columns) {
		return nil, fmt.Errorf("a row has %d values, want %d", len(text), len(t.Columns))
	}
	row := make([]any, len(text))
	for i, column := range t.Columns {
		var err error
		switch {
		case text[i] == "": // NULL: the API gives both as nothing, and no answer holds an empty text
		case column.Kind == Count:
			row[i], err = strconv.ParseInt(text[i], 10, 64)
		case column.Kind == Median:
			row[i], err = strconv.ParseFloat(text[i], 64)
		default:
			row[i] = text[i]
		}
		if err != nil {
			return nil, fmt.Errorf("column %s: %q is no number", column.Name, text[i])
		}
	}
	return row, nil
}

// compareRows orders rows by their values; texts by their code points, so that the order does not depend on a warehouse's collation.
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
	switch { // NULL stands first
	case a == nil && b == nil:
		return 0
	case a == nil:
		return -1
	}
	return 1
}
