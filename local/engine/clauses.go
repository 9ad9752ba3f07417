package engine

import (
	"fmt"
	"slices"
	"strings"
)

// dropSchemaWord turns USE SCHEMA x into USE x.
func dropSchemaWord(toks []token) []token {
	i := skip(toks, 0)
	if i >= len(toks) || toks[i].upper() != "USE" {
		return toks
	}
	k := skip(toks, i+1)
	if word := at(toks, k).upper(); word != "SCHEMA" && word != "DATABASE" {
		return toks
	}
	return append(append([]token(nil), toks[:k]...), toks[k+1:]...)
}

// dropCatalog removes the catalog, which this engine has not, from catalog.schema in USE, CREATE
// SCHEMA, DROP SCHEMA and SHOW TABLES, and from `catalog`.`schema`.`table` in backticks anywhere.
func (r *rewriter) dropCatalog(toks []token) ([]token, error) {
	name, isSchema := schemaName(toks)
	if isSchema && at(toks, name).upper() == "IDENTIFIER" {
		args, next, ok := call(toks, skip(toks, name))
		if !ok || len(args) != 1 {
			return toks, nil
		}
		value, err := r.constant(args[0])
		if err != nil {
			return nil, fmt.Errorf("IDENTIFIER: %w", err)
		}
		toks = slices.Concat(toks[:name], nameTokens(value), toks[next:])
	}
	if isSchema && at(toks, name+1).text == "." {
		return slices.Concat(toks[:name], toks[skip(toks, name+1)+1:]), nil
	}
	for i := 0; i+4 < len(toks); i++ {
		if toks[i].kind == quotedName && toks[i+1].text == "." && toks[i+2].kind == quotedName && toks[i+3].text == "." && toks[i+4].kind == quotedName {
			toks = slices.Concat(toks[:i], toks[i+2:])
		}
	}
	return toks, nil
}

// nameTokens splits a name such as a.`b.c`.d.
func nameTokens(name string) []token {
	toks := tokens(name)
	for i, t := range toks {
		if t.kind != quotedName && t.text != "." {
			toks[i] = token{quotedName, "`" + strings.ReplaceAll(t.text, "`", "``") + "`"}
		}
	}
	return toks
}

// schemaName returns the index of the name in a statement about a schema.
func schemaName(toks []token) (int, bool) {
	i := skip(toks, 0)
	first, second := at(toks, i).upper(), skip(toks, i+1)
	switch word := at(toks, second).upper(); {
	case first == "USE":
		return second, word != "CATALOG"
	case (first == "CREATE" || first == "DROP") && (word == "SCHEMA" || word == "DATABASE"):
		i = skip(toks, second+1)
		for at(toks, i).upper() == "IF" || at(toks, i).upper() == "NOT" || at(toks, i).upper() == "EXISTS" {
			i = skip(toks, i+1)
		}
		return i, true
	case first == "SHOW" && word == "TABLES":
		i = skip(toks, second+1)
		return skip(toks, i+1), at(toks, i).upper() == "FROM" || at(toks, i).upper() == "IN"
	}
	return 0, false
}

// dropTableClauses removes the clauses of Delta from CREATE TABLE and CREATE VIEW: USING, CLUSTER BY,
// PARTITIONED BY, COMMENT, TBLPROPERTIES, LOCATION, and the comments of columns. They are between the
// name or the columns and AS.
func dropTableClauses(toks []token) []token {
	if !createsTable(toks) {
		return toks
	}
	var kept []token
	depth := 0
	for i := 0; i < len(toks); i++ {
		t := toks[i]
		switch {
		case t.text == "(":
			depth++
		case t.text == ")":
			depth--
		case depth == 0 && t.upper() == "AS":
			return append(kept, toks[i:]...)
		case depth == 1 && t.upper() == "COMMENT" && at(toks, i+1).kind == stringLiteral:
			i = skip(toks, i+1)
			continue
		case depth == 0:
			if next := clauseEnd(toks, i); next > i {
				i = next - 1
				continue
			}
		}
		kept = append(kept, t)
	}
	return kept
}

// createsTable reports whether a statement creates a table or a view that outlives its session.
func createsTable(toks []token) bool {
	i := skip(toks, 0)
	if at(toks, i).upper() != "CREATE" {
		return false
	}
	i = skip(toks, i+1)
	if at(toks, i).upper() == "OR" {
		i = skip(toks, skip(toks, i+1)+1)
	}
	kind := at(toks, i).upper()
	return kind == "TABLE" || kind == "VIEW"
}

// clauseEnd returns the index after the clause that starts at i, or i if none does.
func clauseEnd(toks []token, i int) int {
	switch toks[i].upper() {
	case "USING", "COMMENT", "LOCATION": // one word or literal follows
		return skip(toks, i+1) + 1
	case "CLUSTER", "PARTITIONED": // BY (…)
		if _, next, ok := call(toks, skip(toks, i+1)); ok {
			return next
		}
	case "TBLPROPERTIES":
		if _, next, ok := call(toks, i); ok {
			return next
		}
	}
	return i
}

// insertion splits INSERT how t query; how is INTO, or OVERWRITE, which on Databricks replaces all rows
// atomically.
func insertion(toks []token, how string) (target, query []token, ok bool) {
	i := skip(toks, 0)
	if at(toks, i).upper() != "INSERT" || at(toks, i+1).upper() != how {
		return nil, nil, false
	}
	start := skip(toks, skip(toks, i+1)+1)
	if at(toks, start).upper() == "TABLE" {
		start = skip(toks, start+1)
	}
	for k := start; k < len(toks); k++ {
		if upper := toks[k].upper(); upper == "SELECT" || upper == "WITH" || upper == "VALUES" {
			return toks[start:k:k], toks[k:], true
		}
	}
	return nil, nil, false
}

// replaceWhere splits INSERT INTO t REPLACE WHERE condition query, which on Databricks replaces the
// rows of the condition atomically.
func replaceWhere(toks []token) (target, condition, query []token, ok bool) {
	i := skip(toks, 0)
	if at(toks, i).upper() != "INSERT" || at(toks, i+1).upper() != "INTO" {
		return nil, nil, nil, false
	}
	start := skip(toks, skip(toks, i+1)+1)
	if at(toks, start).upper() == "TABLE" {
		start = skip(toks, start+1)
	}
	depth, where := 0, 0
	for k := start; k < len(toks); k++ {
		switch toks[k].text {
		case "(":
			depth++
		case ")":
			depth--
		}
		if depth != 0 {
			continue
		}
		switch upper := toks[k].upper(); {
		case where == 0 && (upper == "SELECT" || upper == "WITH" || upper == "VALUES"):
			return nil, nil, nil, false
		case where == 0 && upper == "REPLACE" && at(toks, k+1).upper() == "WHERE":
			target = toks[start:k:k]
			k = skip(toks, k+1)
			where = k + 1
		case where > 0 && (upper == "SELECT" || upper == "WITH"):
			return target, toks[where:k:k], toks[k:], true
		}
	}
	return nil, nil, nil, false
}
