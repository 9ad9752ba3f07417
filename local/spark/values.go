package spark

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/pinflow/pinflow/local/engine"
)

// table converts a result to the types of engine.Table.
func table(r response) (*engine.Table, error) {
	t := &engine.Table{}
	for _, column := range r.Columns {
		t.Columns = append(t.Columns, engine.Column{Name: column[0], Type: column[1]})
	}
	for _, row := range r.Rows {
		for i, value := range row {
			converted, err := plain(value, r.Columns[i][1])
			if err != nil {
				return nil, fmt.Errorf("column %s: %w", r.Columns[i][0], err)
			}
			row[i] = converted
		}
		t.Rows = append(t.Rows, row)
	}
	return t, nil
}

func plain(value any, typeName string) (any, error) {
	if element, ok := strings.CutPrefix(typeName, "ARRAY<"); ok {
		list, _ := value.([]any)
		for i := range list {
			converted, err := plain(list[i], strings.TrimSuffix(element, ">"))
			if err != nil {
				return nil, err
			}
			list[i] = converted
		}
		return value, nil
	}
	switch v := value.(type) {
	case json.Number:
		if typeName == "TIMESTAMP" {
			micros, err := v.Int64()
			return time.UnixMicro(micros).UTC(), err
		}
		if typeName == "DOUBLE" || typeName == "FLOAT" {
			return v.Float64()
		}
		return v.Int64()
	case string:
		switch typeName {
		case "TIMESTAMP_NTZ":
			return time.Parse(time.RFC3339Nano, v)
		case "DATE":
			return time.Parse(time.DateOnly, v)
		case "DOUBLE", "FLOAT":
			return map[string]float64{"nan": math.NaN(), "inf": math.Inf(1), "-inf": math.Inf(-1)}[v], nil
		}
	}
	return value, nil
}

// sparkName quotes the name of a schema.
func sparkName(catalog, schema string) string {
	name := ""
	for _, part := range []string{catalog, schema} {
		if part != "" {
			name += ".`" + strings.ReplaceAll(part, "`", "``") + "`"
		}
	}
	return strings.TrimPrefix(name, ".")
}
