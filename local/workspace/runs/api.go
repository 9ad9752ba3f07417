// Package runs implements one-time runs of SQL notebooks with the Jobs API, versions 2.1 and 2.2:
// their store, their execution and their form on the wire.
package runs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/databricks/databricks-sdk-go/service/workspace"

	"github.com/pinflow/pinflow/local/engine"
	"github.com/pinflow/pinflow/local/workspace/api"
)

// Lifetime is how long ended runs are kept: 60 days (Jobs API, runs/get-output).
const Lifetime = 60 * 24 * time.Hour

// Engine runs notebooks.
type Engine interface {
	// RunNotebook runs a Databricks SQL notebook in source format and returns the result of its
	// last statement, which may be nil. The error of a failed statement is an
	// *engine.StatementError: the run's error is its Message, and the error trace its place, its
	// SQL and its Message. When ctx ends, the running statement is interrupted and the call
	// returns.
	RunNotebook(ctx context.Context, source string, params map[string]string) (*engine.Table, error)
}

// Notebooks finds the notebooks of runs.
type Notebooks interface {
	// Notebook returns the source of a notebook, or tree.ErrMissing.
	Notebook(path string) (source string, language workspace.Language, err error)
}

// Options configures the API. All fields are required.
type Options struct {
	// Path is the database file of the runs.
	Path string
	// URL is the start of links to runs.
	URL         string
	WarehouseID string
	Notebooks   Notebooks
	Engine      Engine
	// Slots is how many notebooks run at a time.
	Slots  int
	Now    func() time.Time
	Logger *slog.Logger
}

// API holds the runs.
type API struct {
	options Options
	log     *slog.Logger
	now     func() time.Time
	store   *store
	runner  *runner
}

// Open opens the store. Runs that were active when the last process died end as failed, and runs
// that ended long ago are removed. The caller must make sure that no other process uses the store.
func Open(ctx context.Context, o Options) (*API, error) {
	store, err := openStore(ctx, o.Path)
	if err != nil {
		return nil, err
	}
	a := &API{options: o, log: o.Logger, now: o.Now, store: store}
	ended, err := store.endInterrupted(ctx, a.now())
	if err == nil {
		err = a.Expire(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, store.close())
	}
	if ended > 0 {
		a.log.Warn("runs that were active when the workspace died have failed", "runs", ended)
	}
	a.runner = newRunner(store, o)
	return a, nil
}

// Routes returns the endpoints. The SDKs call Jobs 2.2; 2.1 is the same here.
func (a *API) Routes() api.Routes {
	routes := api.Routes{}
	for _, version := range []string{"2.1", "2.2"} {
		prefix := "/api/" + version + "/jobs/runs/"
		routes["POST "+prefix+"submit"] = a.submitRun
		routes["GET "+prefix+"get"] = a.getRun
		routes["GET "+prefix+"get-output"] = a.getRunOutput
		routes["GET "+prefix+"list"] = a.listRuns
		routes["POST "+prefix+"cancel"] = a.cancelRun
		routes["POST "+prefix+"delete"] = a.deleteRun
	}
	return routes
}

// Latest returns the runs that were submitted last, newest first.
func (a *API) Latest(ctx context.Context, limit int) ([]*Run, error) {
	runs, _, err := a.store.list(ctx, listFilter{limit: limit})
	return runs, err
}

// Find returns a run by its id or by that of one of its tasks, or ErrMissing.
func (a *API) Find(ctx context.Context, runID int64) (*Run, error) { return a.store.find(ctx, runID) }

// Expire removes the runs that ended before Lifetime.
func (a *API) Expire(ctx context.Context) error {
	removed, err := a.store.expire(ctx, a.now().Add(-Lifetime))
	if err != nil {
		return fmt.Errorf("remove expired runs: %w", err)
	}
	if removed > 0 {
		a.log.Info("expired runs removed", "runs", removed)
	}
	return nil
}

// Ping returns an error if the store does not respond.
func (a *API) Ping(ctx context.Context) error { return a.store.ping(ctx) }

// Drain waits until all runs have ended or ctx is done, then interrupts what is left and waits for
// that.
func (a *API) Drain(ctx context.Context) { a.runner.drain(ctx) }

// Close closes the store.
func (a *API) Close() error { return a.store.close() }
