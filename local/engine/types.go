package engine

import (
	"fmt"
	"regexp"
	"strings"
)

// databricksTypes maps types of DuckDB to those of Databricks.
var databricksTypes = map[string]string{
	"VARCHAR": "STRING", "INTEGER": "INT", "HUGEINT": "DECIMAL(38,0)", "UBIGINT": "DECIMAL(20,0)", "BLOB": "BINARY", "REAL": "FLOAT",
	"TIMESTAMPTZ": "TIMESTAMP", "TIMESTAMP WITH TIME ZONE": "TIMESTAMP", "UUID": "STRING", "JSON": "STRING", "NULL": "VOID", "\"NULL\"": "VOID",
}

// databricksType returns the type of Databricks for one of DuckDB: MAP(VARCHAR, INTEGER[]) is
// MAP<STRING, ARRAY<INT>>.
func databricksType(duck string) string {
	duck = strings.TrimSpace(duck)
	if strings.HasSuffix(duck, "]") {
		if open := strings.LastIndexByte(duck, '['); open > 0 {
			return "ARRAY<" + databricksType(duck[:open]) + ">"
		}
	}
	base, inner, nested := strings.Cut(duck, "(")
	inner = strings.TrimSuffix(inner, ")")
	switch {
	case nested && base == "MAP":
		if parts := splitTypes(inner); len(parts) == 2 {
			return "MAP<" + databricksType(parts[0]) + ", " + databricksType(parts[1]) + ">"
		}
	case nested && base == "STRUCT":
		var fields []string
		for _, part := range splitTypes(inner) {
			name, kind := cutField(part)
			fields = append(fields, name+": "+databricksType(kind))
		}
		return "STRUCT<" + strings.Join(fields, ", ") + ">"
	}
	if name, ok := databricksTypes[duck]; ok {
		return name
	}
	return duck
}

// plainName matches names that need no quotes.
var plainName = regexp.MustCompile(`^[A-Za-z_]\w*$`)

// splitTypes splits the types within brackets at the commas between them.
func splitTypes(text string) []string {
	var parts []string
	var current strings.Builder
	depth, quoted := 0, false
	for _, c := range text {
		switch {
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == ',' && depth == 0:
			parts = append(parts, strings.TrimSpace(current.String()))
			current.Reset()
			continue
		}
		current.WriteRune(c)
	}
	return append(parts, strings.TrimSpace(current.String()))
}

// cutField splits a field of a DuckDB struct: a INTEGER, or "b c" VARCHAR.
func cutField(text string) (name, kind string) {
	if !strings.HasPrefix(text, `"`) {
		name, kind, _ = strings.Cut(text, " ")
		return name, kind
	}
	end := 1
	for end < len(text) {
		if text[end] != '"' {
			end++
			continue
		}
		if end+1 >= len(text) || text[end+1] != '"' {
			break
		}
		end += 2 // a doubled quote
	}
	name = strings.ReplaceAll(text[1:min(end, len(text))], `""`, `"`)
	kind = strings.TrimSpace(text[min(end+1, len(text)):])
	if plainName.MatchString(name) {
		return name, kind
	}
	return "`" + strings.ReplaceAll(name, "`", "``") + "`", kind
}

// nestedType rewrites MAP<K, V> and STRUCT<a: T> to MAP(K, V) and STRUCT(a T).
func (r *rewriter) nestedType(toks []token, i int) (string, int, bool, error) {
	base := toks[i].upper()
	if (base != "MAP" && base != "STRUCT") || at(toks, i+1).text != "<" {
		return "", 0, false, nil
	}
	open := skip(toks, i+1)
	depth := 0
	for k := open; k < len(toks); k++ {
		switch toks[k].text {
		case "<":
			depth++
		case ">":
			depth--
		}
		if depth > 0 {
			continue
		}
		var parts []string
		for _, part := range splitAtCommas(toks[open+1 : k]) {
			if base == "STRUCT" {
				part = dropColon(part)
			}
			sql, err := r.expression(part)
			if err != nil {
				return "", 0, false, err
			}
			parts = append(parts, sql)
		}
		return fmt.Sprintf("%s(%s)", base, strings.Join(parts, ", ")), k + 1, true, nil
	}
	return "", 0, false, nil
}

// splitAtCommas splits the parts of a type at the commas that are in no other type.
func splitAtCommas(toks []token) [][]token {
	var parts [][]token
	var current []token
	depth := 0
	for _, t := range toks {
		switch t.text {
		case "<", "(":
			depth++
		case ">", ")":
			depth--
		case ",":
			if depth == 0 {
				parts, current = append(parts, current), nil
				continue
			}
		}
		current = append(current, t)
	}
	return append(parts, current)
}

// dropColon removes the colon of a field: a: INT, or a :INT, whose INT looks like a parameter.
func dropColon(field []token) []token {
	for i, t := range field {
		switch {
		case t.text == ":":
			return append(append(append([]token(nil), field[:i]...), token{space, " "}), field[i+1:]...)
		case t.kind == parameter:
			return append(append(append([]token(nil), field[:i]...), token{space, " "}, token{word, t.text[1:]}), field[i+1:]...)
		}
	}
	return field
}
