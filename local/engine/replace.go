package engine

import (
	"context"
	"slices"
	"strings"
)

// firstUncommittedRow is the least rowid of rows that the transaction itself has added: MAX_ROW_ID in
// DuckDB's source. Rows that are committed are below it.
const firstUncommittedRow = "36028797018960000"

// Temporary tables of a statement: the rows that it adds, and those that it writes back.
const (
	replaced = "temp.main._replaced"
	kept     = "temp.main._kept"
)

// replace inserts rows and deletes the others of the condition; nil is all rows. As on Databricks, the
// query sees the rows that are deleted.
//
// The rows are inserted at once, and then the old ones are deleted. DuckDB's scan of a table may find
// rows that the same statement adds to it, so rows that are written back wait in a temporary table,
// and a query that reads its table otherwise makes all rows wait there.
func (r *rewriter) replace(target, condition, query []token) ([]string, error) {
	old := []token{{operator, "DELETE FROM "}}
	old = append(old, target...)
	if !r.mayRead(query, target) {
		return r.each(insertInto(target, query), append(old, uncommitted(condition)...))
	}
	if added, back, ok := writesBack(query, target); ok && !r.mayRead(added, target) {
		query = append(added, token{operator, " SELECT * FROM " + kept})
		return r.each(createTemporary("_kept", back), insertInto(target, query), append(old, uncommitted(condition)...), drop(kept))
	}
	if condition != nil {
		old = slices.Concat(old, []token{{operator, " WHERE "}}, condition)
	}
	return r.each(createTemporary("_replaced", query), old, insertInto(target, []token{{operator, "FROM " + replaced}}), drop(replaced))
}

// add inserts rows of a query that reads the table. They wait in a temporary table: in DuckDB a union or
// a join would find rows that the same statement has added.
func (r *rewriter) add(target, query []token) ([]string, error) {
	return r.each(createTemporary("_replaced", query), insertInto(target, []token{{operator, "FROM " + replaced}}), drop(replaced))
}

func insertInto(target, query []token) []token {
	return slices.Concat([]token{{word, "INSERT"}, {space, " "}, {word, "INTO"}, {space, " "}}, target, []token{{space, " "}}, query)
}

func createTemporary(name string, query []token) []token {
	return append([]token{{operator, "CREATE OR REPLACE TEMP TABLE " + name + " AS "}}, query...)
}

func drop(table string) []token { return []token{{operator, "DROP TABLE " + table}} }

// uncommitted is the WHERE of rows that satisfy the condition and are not of this transaction.
func uncommitted(condition []token) []token {
	where := []token{{operator, " WHERE rowid < " + firstUncommittedRow}}
	if condition == nil {
		return where
	}
	return slices.Concat(where, []token{{operator, " AND ("}}, condition, []token{{operator, ")"}})
}

func (r *rewriter) mayRead(query, table []token) bool { return r.reads == nil || r.reads(query, table) }

// writesBack splits a query that ends with UNION ALL SELECT * FROM table WHERE condition, after the
// UNION ALL.
func writesBack(query, table []token) (added, back []token, ok bool) {
	depth := 0
	for i, t := range query {
		switch {
		case t.text == "(":
			depth++
		case t.text == ")":
			depth--
		case depth == 0 && t.upper() == "UNION":
			added = nil
			c := &cursor{toks: query, i: i + 1}
			if !c.accept("ALL") {
				continue
			}
			start := c.i
			if !c.accept("SELECT") || !c.accept("*") || !c.accept("FROM") || !strings.EqualFold(text(c.name()), text(table)) || !c.accept("WHERE") {
				continue
			}
			if listEnd(query, c.i) == len(query) {
				added, back = slices.Clone(query[:start]), query[start:]
			}
		}
	}
	return added, back, added != nil
}

// mayRead reports whether a query may read a table. A column of that name counts, too.
func (s *session) mayRead(ctx context.Context) func(query, table []token) bool {
	return func(query, table []token) bool {
		parts, err := (&rewriter{params: s.params}).nameParts(table)
		if err != nil || len(parts) == 0 {
			return true
		}
		name := strings.ToLower(parts[len(parts)-1])
		views, err := s.views(ctx)
		return err != nil || slices.ContainsFunc(query, func(t token) bool { return names(t, name) }) || mentionsInViews(query, name, views)
	}
}
