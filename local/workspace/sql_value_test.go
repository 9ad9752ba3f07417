package workspace

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCellText(t *testing.T) {
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
				text := cellText(test.value, test.kind)
				require.NotNil(t, text)
				require.Equal(t, test.want, *text)
			})
		}
		require.Nil(t, cellText(nil, "STRING"))
	})
}

func TestTypeName(t *testing.T) {
	t.Parallel()
	t.Run("is_the_base_type", func(t *testing.T) {
		t.Parallel()
		for text, want := range map[string]string{
			"STRING": "STRING", "BIGINT": "LONG", "INT": "INT", "SMALLINT": "SHORT", "TINYINT": "BYTE", "DOUBLE": "DOUBLE", "DECIMAL(10,2)": "DECIMAL", "ARRAY<DOUBLE>": "ARRAY",
			"MAP<STRING, INT>": "MAP", "STRUCT<a: INT>": "STRUCT", "TIMESTAMP": "TIMESTAMP", "DATE": "DATE", "VOID": "NULL", "BOOLEAN": "BOOLEAN", "INTERVAL DAY TO SECOND": "INTERVAL",
		} {
			require.Equal(t, want, string(typeName(text)), text)
		}
	})
}

func TestBind(t *testing.T) {
	t.Parallel()
	t.Run("casts_other_types_than_text", func(t *testing.T) {
		t.Parallel()
		text := func(s string) *string { return &s }
		for name, test := range map[string]struct {
			sql        string
			parameters []parameter
			want       string
			values     map[string]string
		}{
			"texts are bound as they are": {"SELECT :a", []parameter{{Name: "a", Value: text("1")}}, "SELECT :a", map[string]string{"a": "1"}},
			"types become casts":          {"SELECT :a, :b", []parameter{{Name: "a", Value: text("1"), Type: "int"}, {Name: "b", Value: text("x")}}, "SELECT CAST(:a AS INT), :b", map[string]string{"a": "1", "b": "x"}},
			"NULL":                        {"SELECT :a", []parameter{{Name: "a"}}, "SELECT CAST(NULL AS STRING)", map[string]string{}},
			"NULL of a type":              {"SELECT :a", []parameter{{Name: "a", Type: "DATE"}}, "SELECT CAST(NULL AS DATE)", map[string]string{}},
			"only whole markers":          {"SELECT :ab,:a", []parameter{{Name: "a"}}, "SELECT :ab,CAST(NULL AS STRING)", map[string]string{}},
			"not in texts, names and comments": {
				"SELECT ':a', \":a\", `:a`, 'it''s :a', 'a\\':a' -- :a\n, /* :a */ :a", []parameter{{Name: "a"}},
				"SELECT ':a', \":a\", `:a`, 'it''s :a', 'a\\':a' -- :a\n, /* :a */ CAST(NULL AS STRING)", map[string]string{},
			},
			"not paths and casts": {"SELECT v:a, f(x):a, v[0]:a, `v`:a, x::a, :a::INT", []parameter{{Name: "a"}}, "SELECT v:a, f(x):a, v[0]:a, `v`:a, x::a, CAST(NULL AS STRING)::INT", map[string]string{}},
		} {
			t.Run(name, func(t *testing.T) {
				got, values, err := bind(test.sql, test.parameters)
				require.NoError(t, err)
				require.Equal(t, test.want, got)
				require.Equal(t, test.values, values)
			})
		}
	})
}
