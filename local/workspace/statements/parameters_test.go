package statements

import (
	"testing"

	"github.com/stretchr/testify/require"
)

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
