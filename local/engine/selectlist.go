package engine

import (
	"slices"
	"strings"
)

// endOfList are the words behind a select list.
var endOfList = []string{"FROM", "WHERE", "GROUP", "HAVING", "QUALIFY", "WINDOW", "ORDER", "SORT", "LIMIT", "OFFSET", "UNION", "INTERSECT", "EXCEPT", "MINUS"}

// nameColumns gives a function call that stands alone in a select list the name that the column has
// on Databricks, if DuckDB would give it another one: count(*) is count(1) there, and count_star()
// here.
func nameColumns(toks []token) []token {
	var named []token
	for i := 0; i < len(toks); i++ {
		named = append(named, toks[i])
		if toks[i].kind != word || toks[i].upper() != "SELECT" {
			continue
		}
		start := skip(toks, i+1)
		if w := at(toks, start).upper(); w == "DISTINCT" || w == "ALL" {
			start = skip(toks, start+1)
		}
		named = append(named, toks[i+1:start]...)
		end := listEnd(toks, start)
		named = append(named, nameItems(toks[start:end])...)
		i = end - 1
	}
	return named
}

// listEnd returns the index behind the select list that starts at i.
func listEnd(toks []token, i int) int {
	depth := 0
	for ; i < len(toks); i++ {
		switch {
		case toks[i].text == "(" || toks[i].text == "[":
			depth++
		case toks[i].text == ")" || toks[i].text == "]":
			depth--
		case depth == 0 && toks[i].kind == word && slices.Contains(endOfList, toks[i].upper()):
			return i
		}
		if depth < 0 {
			return i
		}
	}
	return i
}

func nameItems(toks []token) []token {
	var named, item []token
	depth := 0
	flush := func() {
		named = append(named, nameItem(item)...)
		item = nil
	}
	for _, t := range toks {
		switch t.text {
		case "(", "[":
			depth++
		case ")", "]":
			depth--
		case ",":
			if depth == 0 {
				flush()
				named = append(named, t)
				continue
			}
		}
		item = append(item, t)
	}
	flush()
	return named
}

// nameItem names one item, and those of the queries in it.
func nameItem(item []token) []token {
	start := skip(item, 0)
	inner := nameNested(item)
	if start >= len(item) || item[start].kind != word {
		return inner
	}
	args, next, ok := call(item, start)
	if !ok || skip(item, next) < len(item) {
		return inner
	}
	name := columnName(item[start].upper(), args)
	if name == "" {
		return inner
	}
	return append(inner, token{space, " "}, token{word, "AS"}, token{space, " "}, token{quotedName, "`" + strings.ReplaceAll(name, "`", "``") + "`"})
}

// nameNested names the columns of the queries inside an item.
func nameNested(item []token) []token {
	for i, t := range item {
		if t.kind == word && t.upper() == "SELECT" {
			return append(append([]token(nil), item[:i]...), nameColumns(item[i:])...)
		}
	}
	return append([]token(nil), item...)
}

// columnName returns the name of a column that is a function call; empty is DuckDB's name.
func columnName(function string, args [][]token) string {
	switch {
	case function == "COUNT" && (len(args) == 0 || len(args) == 1 && text(args[0]) == "*"):
		return "count(1)"
	case function == "EXPLODE":
		return "col"
	case function == "MAP" && len(args) == 0, functions[function] == nil && builders[function] == nil && function != "ARRAY":
		return ""
	}
	shown := make([]string, len(args))
	for i, arg := range args {
		var b strings.Builder
		for _, t := range arg {
			switch t.kind {
			case stringLiteral:
				b.WriteString(stringValue(t.text))
			case space:
				b.WriteString(" ")
			default:
				b.WriteString(t.text)
			}
		}
		shown[i] = strings.TrimSpace(b.String())
	}
	return strings.ToLower(function) + "(" + strings.Join(shown, ", ") + ")"
}
