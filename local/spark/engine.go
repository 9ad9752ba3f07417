// Package spark runs Databricks SQL notebooks on open-source Spark with Delta Lake, in a Python
// process that it starts: the engine to compare others with. It takes seconds where
// [engine.Engine] takes milliseconds.
package spark

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync/atomic"

	"github.com/pinflow/pinflow/local/engine"
	"github.com/pinflow/pinflow/local/objectstore"
)

// smallHeap are Java's options: the collector that needs least for a small heap, room for Spark's
// classes, each growth of which collects the whole heap, and the quick way to start a process,
// because Hadoop starts two chmod for each file that it writes.
const smallHeap = "-XX:+UseSerialGC -XX:MetaspaceSize=256m -Djdk.lang.Process.launchMechanism=VFORK"

// Options configures an engine.
type Options struct {
	// Home is the directory of the installation: venv/ with PySpark and jars/ with Delta Lake, as
	// scripts/install-spark makes them.
	Home string
	// Dir is the directory of the tables, which survive the process, and of scratch files.
	Dir string
	// Objects is the store behind the paths that notebooks read.
	Objects objectstore.Store
	// Memory is the size of Java's heap; 1g by default.
	Memory string
	// Java are the options of the virtual machine; by default those for a small heap.
	Java string
	// Threads is how many cores Spark may use; all by default.
	Threads int
	// TimeZone is Java's time zone, as in America/New_York; that of the machine by default.
	TimeZone string
	// SmallTables gives each session the settings of [SmallTables].
	SmallTables bool
	// Log gets what Spark prints; nil drops it.
	Log io.Writer
}

// Engine runs notebooks and statements. It is safe for concurrent use; each call is a session of
// its own.
type Engine struct {
	process  *process
	objects  objectstore.Store
	scratch  string
	settings map[string]string // of each session
	sessions *atomic.Int64
}

// Open starts Spark, which takes some seconds.
func Open(ctx context.Context, o Options) (*Engine, error) {
	python, jars, err := installed(o.Home)
	if err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, err
	}
	scratch := filepath.Join(dir, "scratch") // what an earlier process left there is of no use
	if err := errors.Join(os.RemoveAll(scratch), os.MkdirAll(scratch, 0o700)); err != nil {
		return nil, err
	}
	s := settings{Jars: jars, Warehouse: filepath.Join(dir, "warehouse"), Scratch: scratch, Memory: "1g", Java: smallHeap, Threads: runtime.NumCPU()}
	if o.Memory != "" {
		s.Memory = o.Memory
	}
	if o.Java != "" {
		s.Java = o.Java
	}
	if o.Threads > 0 {
		s.Threads = o.Threads
	}
	if o.TimeZone != "" {
		s.Java += " -Duser.timezone=" + o.TimeZone
	}
	p, err := start(ctx, python, s, o.Log)
	if err != nil {
		return nil, fmt.Errorf("start Spark of %s: %w", o.Home, err)
	}
	e := &Engine{process: p, objects: o.Objects, scratch: scratch, sessions: new(atomic.Int64)}
	if o.SmallTables {
		e.settings = map[string]string{}
		for _, setting := range SmallTables {
			e.settings[setting.Name] = setting.Value
		}
	}
	return e, nil
}

// ForLargeTables returns the engine with the settings that Spark itself has, on the same process.
func (e *Engine) ForLargeTables() *Engine {
	other := *e
	other.settings = nil
	return &other
}

// Close ends Spark.
func (e *Engine) Close() error {
	return errors.Join(e.process.stop(), os.RemoveAll(e.scratch))
}

// RunNotebook runs the statements of a notebook in order and returns the result of the last one. It
// ends with a *engine.StatementError at the first failed statement. When ctx ends, the running
// statement is interrupted and the error is ctx's.
func (e *Engine) RunNotebook(ctx context.Context, source string, params map[string]string) (*engine.Table, error) {
	statements, err := engine.Statements(source)
	if err != nil {
		return nil, &engine.StatementError{Cell: 1, Message: err.Error()}
	}
	s := e.newSession(params)
	defer s.close()
	var last *engine.Table
	for _, statement := range statements {
		if last, err = s.run(ctx, statement, 0); err != nil {
			return nil, err
		}
	}
	return last, nil
}

// Query runs one statement and returns its result. The error of a failed statement is an
// *engine.StatementError.
func (e *Engine) Query(ctx context.Context, q engine.Query) (*engine.Table, error) {
	statement, err := engine.OneStatement(q.SQL)
	if err != nil {
		return nil, err
	}
	s := e.newSession(q.Params)
	defer s.close()
	before := []string{"SET TIME ZONE 'UTC'"} // the default of Databricks' warehouses
	if q.Schema != "" {
		before = append(before, "USE "+sparkName(q.Catalog, q.Schema))
	}
	for _, sql := range before {
		setting, err := engine.OneStatement(sql)
		if err != nil {
			return nil, err
		}
		if _, err := s.run(ctx, setting, 0); err != nil {
			return nil, err
		}
	}
	return s.run(ctx, statement, q.RowLimit)
}

// session is a session of Spark, with its own schema, settings and temporary views.
type session struct {
	engine *Engine
	name   string
	params map[string]string
	reads  int
}

func (e *Engine) newSession(params map[string]string) *session {
	return &session{engine: e, name: strconv.FormatInt(e.sessions.Add(1), 10), params: params}
}

func (s *session) close() {
	_ = s.engine.process.send(request{Session: s.name}) // Spark forgets it when it ends
	_ = os.RemoveAll(s.folder())
}

func (s *session) folder() string { return filepath.Join(s.engine.scratch, "session-"+s.name) }

func (s *session) run(ctx context.Context, statement engine.Statement, limit int64) (*engine.Table, error) {
	sql, err := statement.OnSpark(s.params, func(pattern string) (string, error) { return s.fetch(ctx, pattern) })
	var got response
	if err == nil {
		got, err = s.engine.process.run(ctx, request{Session: s.name, Settings: s.engine.settings, SQL: sql, Limit: limit})
	}
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, statement.Failed(err.Error())
	case got.Error != "":
		return nil, statement.Failed(got.Error)
	}
	return table(got)
}
