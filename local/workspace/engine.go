package workspace

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime/debug"

	"github.com/pinflow/pinflow/local/engine"
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

// openEngine opens the SQL engine with its tables in dir.
func openEngine(ctx context.Context, o Options, dir string) (*engine.Engine, error) {
	objects, err := engine.NewS3Store(ctx, engine.S3Options{
		Endpoint:  o.S3.Endpoint,
		Region:    o.S3.Region,
		AccessKey: o.S3.AccessKey,
		SecretKey: o.S3.SecretKey,
	})
	if err != nil {
		return nil, fmt.Errorf("open the object store at %s: %w", o.S3.Endpoint, err)
	}
	e, err := engine.Open(ctx, engine.Options{
		Path:        filepath.Join(dir, "warehouse.duckdb"),
		Objects:     objects,
		MemoryLimit: o.MemoryLimit,
		Threads:     o.Threads,
	})
	if err != nil {
		return nil, fmt.Errorf("open the SQL engine in %s: %w", dir, err)
	}
	return e, nil
}
