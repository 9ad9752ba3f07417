package engine

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// parameters are the values of the parameters of a session, and where clients give them.
type parameters struct {
	values map[string]string
	where  string
}

// session is one connection, with its own schema, temporary views and files.
type session struct {
	engine *Engine
	conn   *sql.Conn
	params parameters
	reads  []func() // end the relations of read_files in the running statement
}

func (e *Engine) newSession(ctx context.Context, params parameters) (*session, error) {
	conn, err := e.db.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("open a session: %w", err)
	}
	s := &session{engine: e, conn: conn, params: params}
	for _, setting := range prelude {
		if _, err := conn.ExecContext(ctx, setting); err != nil {
			s.close()
			return nil, fmt.Errorf("open a session: %w", err)
		}
	}
	return s, nil
}

// checkCatalog returns an error unless name is empty or the catalog of the engine, the only one.
func (s *session) checkCatalog(ctx context.Context, name string) error {
	if name == "" {
		return nil
	}
	var catalog string
	if err := s.conn.QueryRowContext(ctx, "SELECT current_catalog()").Scan(&catalog); err != nil {
		return err
	}
	if !strings.EqualFold(name, catalog) {
		return fmt.Errorf("[NO_SUCH_CATALOG_EXCEPTION] Catalog '%s' was not found. Please verify the catalog name and then retry the query or command again: this workspace has the catalog '%s' only. SQLSTATE: 42704", name, catalog)
	}
	return nil
}

func (s *session) close() { _ = s.conn.Close() } // nothing is left to write

// run runs one statement: a write in its turn.
func (s *session) run(ctx context.Context, toks []token, rowLimit int64) (*Table, error) {
	w := writeOf(toks)
	if w.operation == reading {
		return s.perform(ctx, toks, rowLimit)
	}
	table, err := s.tableOf(ctx, w)
	if err != nil {
		return nil, err
	}
	if w.ifMissing && s.exists(ctx, table) {
		return s.perform(ctx, toks, rowLimit)
	}
	if err := s.findReads(ctx, &w, table); err != nil {
		return nil, err
	}
	t := s.engine.isolation.enter(table.key(), w)
	defer t.leave()
	if err := s.takeTurn(ctx, t, w, table); err != nil {
		return nil, err
	}
	result, err := s.perform(ctx, toks, rowLimit)
	if err == nil {
		t.committed(w)
	}
	return result, err
}

// perform runs one statement. If it becomes several in DuckDB, they run in a transaction.
func (s *session) perform(ctx context.Context, toks []token, rowLimit int64) (*Table, error) {
	r := &rewriter{params: s.params, foreign: s.engine.foreign, reads: s.mayRead(ctx), readFiles: func(pattern string, wholeText bool) (string, error) {
		return s.readFiles(ctx, pattern, wholeText)
	}}
	defer s.endReads()
	toks, err := s.skipFiles(ctx, r, toks)
	if err != nil {
		return nil, err
	}
	statements, err := r.rewrite(toks)
	if err != nil {
		return nil, err
	}
	if len(statements) == 1 {
		table, err := query(ctx, s.conn, statements[0], rowLimit)
		if err == nil && isDescribe(toks) {
			showTypes(table)
		}
		return table, err
	}
	tx, err := s.conn.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer tx.Rollback() //nolint:errcheck // after a commit there is nothing to roll back
	for _, statement := range statements {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return nil, err
		}
	}
	return nil, tx.Commit()
}
