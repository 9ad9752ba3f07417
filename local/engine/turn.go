package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
)

// tableName is the name of a table with its schema.
type tableName struct{ schema, name string }

// key is the same for all spellings of the name.
func (n tableName) key() string { return strings.ToLower(n.schema + "." + n.name) }

func (n tableName) quoted() string { return quoteName(n.schema) + "." + quoteName(n.name) }

// shown is the name in errors.
func (n tableName) shown() string { return n.schema + "." + n.name }

// tableOf returns the target of a write.
func (s *session) tableOf(ctx context.Context, w write) (tableName, error) {
	parts, err := (&rewriter{params: s.params}).nameParts(w.target)
	if err != nil || len(parts) == 0 {
		return tableName{}, err
	}
	name := tableName{name: parts[len(parts)-1]}
	if len(parts) > 1 {
		name.schema = parts[len(parts)-2]
		return name, nil
	}
	err = s.conn.QueryRowContext(ctx, "SELECT current_schema()").Scan(&name.schema)
	return name, err
}

// exists reports whether there is a table or view of that name.
func (s *session) exists(ctx context.Context, table tableName) bool {
	var n int
	err := s.conn.QueryRowContext(ctx,
		"SELECT count(*) FROM information_schema.tables WHERE table_catalog = current_catalog() AND lower(table_schema || '.' || table_name) = ?", table.key()).Scan(&n)
	return err == nil && n > 0
}

// findReads completes a write: an INSERT that reads its own table is a rewrite, and other rows that
// a statement reads of its table count as much as those that it replaces.
func (s *session) findReads(ctx context.Context, w *write, table tableName) error {
	if w.operation != appending && w.rows == nil {
		return nil
	}
	views, err := s.views(ctx)
	if err != nil {
		return err
	}
	name := strings.ToLower(table.name)
	rows, all := ownReads(w.source, name)
	switch {
	case all || mentionsInViews(w.source, name, views):
		w.operation, w.rows = rewriting, nil
	case len(rows) > 0:
		if w.operation == rewriting {
			rows = append(rows, w.rows)
		}
		w.operation, w.rows = rewriting, anyOf(rows)
	}
	return nil
}

// ownReads returns the conditions of the rows that SQL reads directly of a table. all reports that
// it reads all rows, or those of a condition that cannot be told from the words.
func ownReads(sql []token, table string) (conditions [][]token, all bool) {
	for i, t := range sql {
		if !names(t, table) || at(sql, i+1).text == "." { // the column of an alias
			continue
		}
		switch before := wordBefore(sql, i); before {
		case "FROM":
			condition := conditionAfter(sql, i+1)
			if condition == nil {
				return nil, true
			}
			conditions = append(conditions, condition)
		case "JOIN", ",":
			return nil, true
		}
	}
	return conditions, false
}

// wordBefore returns the word before a qualified name whose last part is toks[i].
func wordBefore(toks []token, i int) string {
	for k := i - 1; k >= 0; k-- {
		if toks[k].kind == space {
			continue
		}
		if toks[k].text != "." {
			return toks[k].upper()
		}
		for k--; k >= 0 && toks[k].kind == space; k-- { // the qualifier
		}
	}
	return ""
}

// conditionAfter returns the condition of FROM t [AS alias] WHERE …, whose name ends before toks[i];
// nil without one, or with other tables.
func conditionAfter(toks []token, i int) []token {
	c := &cursor{toks: toks, i: i}
	c.accept("AS")
	if at(toks, c.i).upper() != "WHERE" {
		c.next() // the alias
	}
	if !c.accept("WHERE") {
		return nil
	}
	return toks[c.i:listEnd(toks, c.i)]
}

// anyOf joins conditions by OR.
func anyOf(conditions [][]token) []token {
	var all []token
	for i, condition := range conditions {
		if i > 0 {
			all = append(all, token{word, " OR "})
		}
		all = append(append(append(all, token{operator, "("}), condition...), token{operator, ")"})
	}
	return all
}

func names(t token, table string) bool {
	return (t.kind == word || t.kind == quotedName) && strings.ToLower(unquoteName(t.text)) == table
}

// views returns the definitions of all views that the session sees, by name.
func (s *session) views(ctx context.Context) (map[string][]token, error) {
	rows, err := s.conn.QueryContext(ctx, "SELECT lower(view_name), sql FROM duckdb_views() WHERE NOT internal")
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // rows.Err has the error
	views := map[string][]token{}
	for rows.Next() {
		var name, definition string
		if err := rows.Scan(&name, &definition); err != nil {
			return nil, err
		}
		views[name] = append(views[name], tokens(definition)...)
	}
	return views, rows.Err()
}

// mentionsInViews reports whether SQL may read a table through views. A column of that name counts,
// too: the write then conflicts more often than it must.
func mentionsInViews(sql []token, table string, views map[string][]token) bool {
	seen := map[string]bool{}
	var search func(toks []token, inView bool) bool
	search = func(toks []token, inView bool) bool {
		for i, t := range toks {
			if t.kind != word && t.kind != quotedName && (t.kind != stringLiteral || !inView) {
				continue
			}
			name := strings.ToLower(unquoteName(t.text))
			if t.kind == stringLiteral { // DuckDB's quotes in the definition of a view
				name = strings.ToLower(stringValue(t.text))
			}
			if inView && name == table && at(toks, i+1).text != "." {
				return true
			}
			if view, ok := views[name]; ok && !seen[name] {
				seen[name] = true
				if search(view, true) {
					return true
				}
			}
		}
		return false
	}
	return search(sql, false)
}

// takeTurn waits for the turn of a write. It returns a conflictError if what the statement has read
// when it started has changed.
func (s *session) takeTurn(ctx context.Context, t *turn, w write, table tableName) error {
	if t.held {
		return nil
	}
	before := s.fingerprint(ctx, w, table)
	if err := t.wait(ctx); err != nil {
		return err
	}
	rowsChanged := sync.OnceValue(func() bool { return before == "" || before != s.fingerprint(ctx, w, table) })
	for _, commit := range t.meanwhile() {
		if err := conflict(table.shown(), w, commit, rowsChanged); err != nil {
			return err
		}
	}
	return nil
}

// fingerprint returns a text that changes with the rows that a write reads; empty if it reads all
// of them, or if they cannot be read.
func (s *session) fingerprint(ctx context.Context, w write, table tableName) string {
	if w.rows == nil {
		return ""
	}
	noFiles := func(string, bool) (string, error) { return "", errors.New("files are not rows of the table") }
	condition, err := (&rewriter{params: s.params, readFiles: noFiles}).expression(w.rows)
	if err != nil {
		return ""
	}
	var text string
	if err := s.conn.QueryRowContext(ctx, fmt.Sprintf("SELECT count(*) || ' ' || coalesce(sum(hash(*COLUMNS(*))), 0) FROM %s AS %s WHERE %s",
		table.quoted(), quoteName(table.name), condition)).Scan(&text); err != nil {
		return ""
	}
	return text
}
