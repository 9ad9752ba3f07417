package cell

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestText(t *testing.T) {
	t.Parallel()
	t.Run("has_the_format_of_the_service", func(t *testing.T) {
		t.Parallel()
		moment := time.Date(2024, 1, 2, 8, 34, 5, 123456789, time.FixedZone("", 5*3600+1800))
		for name, test := range map[string]struct {
			value any
			kind  string
			want  string
		}{
			"text":            {"ä", "STRING", "ä"},
			"empty text":      {"", "STRING", ""},
			"integer":         {int64(math.MinInt64), "BIGINT", "-9223372036854775808"},
			"other integer":   {int32(7), "INT", "7"},
			"true":            {true, "BOOLEAN", "true"},
			"plain double":    {12.0, "DOUBLE", "12.0"},
			"half":            {2.5, "DOUBLE", "2.5"},
			"below a million": {9999999.5, "DOUBLE", "9999999.5"},
			"ten million":     {1e7, "DOUBLE", "1.0E7"},
			"small":           {0.001, "DOUBLE", "0.001"},
			"smaller":         {0.00012, "DOUBLE", "1.2E-4"},
			"largest":         {math.MaxFloat64, "DOUBLE", "1.7976931348623157E308"},
			"float":           {float64(float32(0.1)), "FLOAT", "0.1"},
			"float, large":    {16777216.0, "FLOAT", "1.6777216E7"},
			"negative":        {-1.5, "DOUBLE", "-1.5"},
			"NaN":             {math.NaN(), "DOUBLE", "NaN"},
			"infinite":        {math.Inf(-1), "DOUBLE", "-Infinity"},
			"date":            {moment, "DATE", "2024-01-02"},
			"timestamp":       {moment, "TIMESTAMP", "2024-01-02T03:04:05.123Z"},
			"local timestamp": {moment, "TIMESTAMP_NTZ", "2024-01-02T08:34:05.123"},
			"bytes":           {[]byte{0xde, 0xad, 0xbe, 0xef}, "BINARY", "3q2+7w=="},
			"array":           {[]any{int64(1), nil, int64(3)}, "ARRAY<INT>", `["1",null,"3"]`},
			"array of floats": {[]any{float64(float32(0.1))}, "ARRAY<FLOAT>", `["0.1"]`},
			"nested":          {[]any{[]any{"<a>"}, []any{}}, "ARRAY<ARRAY<STRING>>", `[["<a>"],[]]`},
			"map":             {map[string]any{"a": int64(1), "b": nil}, "MAP<STRING, INT>", `{"a":"1","b":null}`},
		} {
			t.Run(name, func(t *testing.T) {
				text := Text(test.value, test.kind)
				require.NotNil(t, text)
				require.Equal(t, test.want, *text)
			})
		}
		require.Nil(t, Text(nil, "STRING"))
	})
}
