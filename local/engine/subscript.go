package engine

import "slices"

// An array counts from 0 in brackets, and from 1 in DuckDB. The macro takes the index of an array; of
// a map or struct, whose key is no number, it takes the entry.
// https://docs.databricks.com/aws/en/sql/language-manual/functions/bracketsign
const subscriptMacro = "CREATE OR REPLACE TEMP MACRO subscript(a, i BIGINT) AS " +
	"CASE WHEN i >= 0 AND i < len(a) THEN list_extract(a, i + 1) WHEN len(a) IS NOT NULL AND i IS NOT NULL THEN error(" + outOfBounds + ") END, " +
	"(a, k) AS a[k]"

const outOfBounds = "'[INVALID_ARRAY_INDEX] The index ' || i || ' is out of bounds. The array has ' || len(a) || " +
	"' elements. Use the SQL function get() to get NULL instead. SQLSTATE: 22003'"

// elementMacro is element_at, which counts from 1, and from the end below 0.
// https://docs.databricks.com/aws/en/sql/language-manual/functions/element_at
const elementMacro = "CREATE OR REPLACE TEMP MACRO element_of(a, i BIGINT) AS list_extract(a, i), (a, k) AS a[k]"

// subscripts turns a[i] into subscript(a, i). A text in the brackets is the name of a field or the key
// of a map.
func subscripts(toks []token) []token {
	for i := 0; i < len(toks); i++ {
		if toks[i].text != "[" || !afterOperand(toks, i) {
			continue
		}
		end := closing(toks, i)
		if end-1 <= i || toks[end-1].text != "]" { // DuckDB says what is wrong
			continue
		}
		if key := slices.DeleteFunc(slices.Clone(toks[i+1:end-1]), func(t token) bool { return t.kind == space }); len(key) == 1 && key[0].kind == stringLiteral {
			continue
		}
		from := operandBefore(toks, i)
		for toks[from].text == "-" || toks[from].text == "+" || toks[from].kind == space { // -a[0] is -(a[0])
			from++
		}
		toks = slices.Concat(toks[:from], []token{{word, "subscript"}, {operator, "("}}, toks[from:i],
			[]token{{operator, ","}}, toks[i+1:end-1], []token{{operator, ")"}}, toks[end:])
		i = from + 1 // the array and the index may have subscripts, too
	}
	return toks
}
