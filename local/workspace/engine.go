package workspace

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"

	"github.com/pinflow/pinflow/local/engine"
	"github.com/pinflow/pinflow/local/objectstore"
	"github.com/pinflow/pinflow/local/spark"
	"github.com/pinflow/pinflow/local/workspace/runs"
	"github.com/pinflow/pinflow/local/workspace/statements"
)

// Engine runs SQL for the workspace; [engine.Engine] satisfies it. Each call is a session of its
// own.
type Engine interface {
	runs.Engine
	statements.Engine
}

// guarded turns panics of an engine into errors: a statement must not end the process of all runs.
type guarded struct {
	Engine
	log *slog.Logger
}

func (g guarded) RunNotebook(ctx context.Context, source string, params map[string]string) (table *engine.Table, err error) {
	defer g.recover(&err)
	return g.Engine.RunNotebook(ctx, source, params)
}

func (g guarded) Query(ctx context.Context, q engine.Query) (table *engine.Table, err error) {
	defer g.recover(&err)
	return g.Engine.Query(ctx, q)
}

func (g guarded) recover(err *error) {
	if p := recover(); p != nil {
		g.log.Error("the SQL engine panicked", "panic", p, "stack", string(debug.Stack()))
		*err = fmt.Errorf("the SQL engine panicked: %v", p)
	}
}

// S3Options configures the object store behind s3:// paths.
type S3Options struct {
	Endpoint  string
	Region    string
	AccessKey string
	SecretKey string
}

func noClose() error { return nil }

// openEngine opens the SQL engine of the options, with its tables in the data directory.
func openEngine(ctx context.Context, o Options) (_ Engine, closeEngine func() error, _ error) {
	objects, err := objectstore.NewS3(objectstore.S3Options{
		Endpoint:  o.S3.Endpoint,
		Region:    o.S3.Region,
		AccessKey: o.S3.AccessKey,
		SecretKey: o.S3.SecretKey,
	})
	if err != nil {
		return nil, noClose, fmt.Errorf("open the object store at %s: %w", o.S3.Endpoint, err)
	}
	if o.SparkHome != "" {
		return openSpark(ctx, o, objects)
	}
	e, err := engine.Open(ctx, engine.Options{
		Path:        filepath.Join(o.DataDir, "warehouse.duckdb"),
		Objects:     objects,
		MemoryLimit: o.MemoryLimit,
		Threads:     o.Threads,
	})
	if err != nil {
		return nil, noClose, fmt.Errorf("open the SQL engine in %s: %w", o.DataDir, err)
	}
	return e, e.Close, nil
}

// openSpark starts Spark, with its tables and its log in the data directory.
func openSpark(ctx context.Context, o Options, objects objectstore.Store) (_ Engine, closeEngine func() error, _ error) {
	dir := filepath.Join(o.DataDir, "spark")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, noClose, fmt.Errorf("create the data directory of Spark: %w", err)
	}
	log, err := os.Create(filepath.Join(dir, "spark.log"))
	if err != nil {
		return nil, noClose, fmt.Errorf("create the log of Spark: %w", err)
	}
	e, err := spark.Open(ctx, spark.Options{Home: o.SparkHome, Dir: dir, Objects: objects, Threads: o.Threads, SmallTables: true, Log: log})
	if err != nil {
		return nil, noClose, errors.Join(fmt.Errorf("%w (its log is %s)", err, log.Name()), log.Close())
	}
	return e, func() error { return errors.Join(e.Close(), log.Close()) }, nil
}
