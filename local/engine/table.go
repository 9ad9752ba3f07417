package engine

import (
	"context"
	"database/sql"
	"fmt"
	"math/big"
	"strings"

	"github.com/duckdb/duckdb-go/v2"
)

// Table is the result of a statement.
type Table struct {
	Columns []Column
	// Rows holds a value for each column: nil, int64, float64, string, bool, time.Time, or []any and
	// map[string]any of those.
	Rows [][]any
}

// Column is a column of a result. Type is its type in Databricks, for example ARRAY<DOUBLE>.
type Column struct{ Name, Type string }

// query runs a statement on DuckDB and reads at most limit rows; 0 is no limit.
func query(ctx context.Context, conn *sql.Conn, statement string, limit int64) (*Table, error) {
	rows, err := conn.QueryContext(ctx, statement)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // rows.Err has the error
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil, err
	}
	table := &Table{}
	for _, t := range types {
		table.Columns = append(table.Columns, Column{strings.ReplaceAll(t.Name(), "count_star()", "count(1)"), databricksType(t.DatabaseTypeName())})
	}
	for rows.Next() && (limit == 0 || int64(len(table.Rows)) < limit) {
		row, targets := make([]any, len(types)), make([]any, len(types))
		for i := range row {
			targets[i] = &row[i]
		}
		if err := rows.Scan(targets...); err != nil {
			return nil, err
		}
		for i := range row {
			row[i] = plain(row[i])
		}
		table.Rows = append(table.Rows, row)
	}
	return table, rows.Err()
}

// plain converts a value of the driver to one of the types in Table.
func plain(value any) any {
	switch v := value.(type) {
	case int8:
		return int64(v)
	case int16:
		return int64(v)
	case int32:
		return int64(v)
	case uint8:
		return int64(v)
	case uint16:
		return int64(v)
	case uint32:
		return int64(v)
	case float32:
		return float64(v)
	case *big.Int:
		if v.IsInt64() {
			return v.Int64()
		}
		return v.String()
	case duckdb.Decimal:
		return v.Float64()
	case []byte:
		return string(v)
	case []any:
		for i := range v {
			v[i] = plain(v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = plain(v[name])
		}
	case duckdb.OrderedMap:
		entries := map[string]any{}
		for _, key := range v.Keys() {
			entry, _ := v.Get(key)
			entries[fmt.Sprint(plain(key))] = plain(entry)
		}
		return entries
	}
	return value
}
