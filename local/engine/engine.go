// Package engine runs Databricks SQL notebooks on DuckDB: their cells and statements, the
// constructs in which the two dialects differ (see rewriter), and read_files over an object store.
package engine

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/pinflow/pinflow/local/engine/scan"
	"github.com/pinflow/pinflow/local/objectstore"
)

// Options configures an engine.
type Options struct {
	// Path is the database file; empty keeps the tables in memory.
	Path string
	// Objects is the store behind the paths that notebooks read.
	Objects objectstore.Store
	// MemoryLimit is DuckDB's memory_limit; 900MB by default, with which the process stays within 1.2
	// GB. DuckDB spills to disk beside the file.
	MemoryLimit string
	// Threads is how many cores a statement may use; all by default.
	Threads int
}

// Engine runs notebooks and statements. It is safe for concurrent use; each call is a session of
// its own.
type Engine struct {
	db        *sql.DB
	objects   objectstore.Store
	scans     *scan.Scans
	isolation isolation
	foreign   map[string]bool // functions that statements may not call, in lower case
}

// Open opens the database, which it creates if necessary.
func Open(ctx context.Context, o Options) (*Engine, error) {
	settings := url.Values{
		// Extensions would be downloaded; json, parquet and icu are built in.
		"autoinstall_known_extensions": {"false"},
		"autoload_known_extensions":    {"false"},
		"preserve_insertion_order":     {"false"},
		// Compressing the texts of records takes half of the time of load, and reading them is slower.
		"force_compression": {"uncompressed"},
		"memory_limit":      {"900MB"},
	}
	if o.MemoryLimit != "" {
		settings.Set("memory_limit", o.MemoryLimit)
	}
	if o.Threads > 0 {
		settings.Set("threads", strconv.Itoa(o.Threads))
	}
	if o.Path != "" {
		settings.Set("temp_directory", filepath.Join(filepath.Dir(o.Path), "spill"))
	}
	connector, err := duckdb.NewConnector(o.Path+"?"+settings.Encode(), nil)
	if err != nil {
		return nil, fmt.Errorf("database %s: %w", o.Path, err)
	}
	db := sql.OpenDB(connector)
	db.SetMaxIdleConns(0) // a session's settings and temporary views must not reach the next one
	e := &Engine{db: db, objects: o.Objects}
	if err := e.prepare(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("database %s: %w", o.Path, err), db.Close())
	}
	return e, nil
}

// prepare gives the database the functions of all sessions, and locks it.
func (e *Engine) prepare(ctx context.Context) error {
	conn, err := e.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // nothing is left to write
	if e.scans, err = scan.Register(conn); err != nil {
		return err
	}
	if e.foreign, err = foreignFunctions(ctx, conn); err != nil {
		return err
	}
	for _, setting := range lockdown {
		if _, err := conn.ExecContext(ctx, setting); err != nil {
			return fmt.Errorf("%s: %w", setting, err)
		}
	}
	return nil
}

// Close closes the database; running statements are interrupted.
func (e *Engine) Close() error { return e.db.Close() }

// Query is one statement of Databricks SQL.
type Query struct {
	SQL string
	// Schema is the schema of unqualified names. Catalog, if it is set, must be that of the engine.
	Catalog, Schema string
	// Params are the values of named parameters.
	Params map[string]string
	// RowLimit limits the rows of the result; 0 is no limit.
	RowLimit int64
}

// RunNotebook runs the statements of a notebook in order and returns the result of the last one. It
// ends with a *StatementError at the first failed statement. When ctx ends, the running statement
// is interrupted and the error is ctx's.
func (e *Engine) RunNotebook(ctx context.Context, source string, params map[string]string) (*Table, error) {
	statements, err := splitNotebook(source)
	if err != nil {
		return nil, &StatementError{Cell: 1, Message: err.Error()}
	}
	s, err := e.newSession(ctx, parameters{params, "base_parameters of the task"})
	if err != nil {
		return nil, err
	}
	defer s.close()
	var last *Table
	for _, st := range statements {
		if last, err = s.run(ctx, st.toks, 0); err != nil {
			return nil, failed(ctx, st, err)
		}
	}
	return last, nil
}

// Query runs one statement and returns its result. The error of a failed statement is a
// *StatementError.
func (e *Engine) Query(ctx context.Context, q Query) (*Table, error) {
	statements := splitStatements(q.SQL)
	if len(statements) != 1 {
		return nil, &StatementError{SQL: q.SQL, Message: fmt.Sprintf("[PARSE_SYNTAX_ERROR] want one statement, got %d", len(statements))}
	}
	s, err := e.newSession(ctx, parameters{q.Params, "the parameters of the statement"})
	if err != nil {
		return nil, err
	}
	defer s.close()
	st := statement{cell: 1, number: 1, toks: statements[0]}
	if err := s.checkCatalog(ctx, q.Catalog); err != nil {
		return nil, failed(ctx, st, err)
	}
	if q.Schema != "" {
		if _, err := s.conn.ExecContext(ctx, "USE "+quoteName(q.Schema)); err != nil {
			return nil, failed(ctx, st, fmt.Errorf("[SCHEMA_NOT_FOUND] The schema `%s` cannot be found: create it, or verify its name. SQLSTATE: 42704", q.Schema))
		}
	}
	table, err := s.run(ctx, st.toks, q.RowLimit)
	if err != nil {
		return nil, failed(ctx, st, err)
	}
	return table, nil
}

// StatementError is the error of a failed statement: its place (cell and statement count from 1),
// its text, and the engine's message.
type StatementError struct {
	Cell, Statement int
	SQL, Message    string
}

func (e *StatementError) Error() string {
	if e.SQL == "" {
		return e.Message
	}
	return fmt.Sprintf("cell %d, statement %d: %s\n\n%s", e.Cell, e.Statement, e.Message, e.SQL)
}

// missingFunction matches DuckDB's error for a function that it does not have.
var missingFunction = regexp.MustCompile(`Function with name "?(\w+)"? does not exist`)

// explain returns the message of an error, in the words of Databricks where clients read them.
func explain(err error) string {
	message := strings.TrimSpace(inDelta(err).Error())
	if text, ok := explainAccess(message); ok {
		return text
	}
	if found := missingFunction.FindStringSubmatch(message); found != nil {
		return fmt.Sprintf("[UNRESOLVED_ROUTINE] Cannot resolve routine `%s`: it is not a function of Databricks SQL, or it is not translated by the embedded engine; "+
			"write it with functions that are, or run it on Databricks. SQLSTATE: 42883", found[1])
	}
	// The text of error() follows DuckDB's name of it.
	if _, text, ok := strings.Cut(message, "Invalid Input Error: ["); ok {
		return "[" + text
	}
	return message
}

// failed returns the error of a statement, or that of ctx.
func failed(ctx context.Context, st statement, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return &StatementError{Cell: st.cell, Statement: st.number, SQL: text(st.toks), Message: explain(err)}
}
