// Package statements implements the Statement Execution API 2.0: statements, their states and
// their results.
package statements

import (
	"context"
	"sync"
	"time"

	"github.com/pinflow/pinflow/local/engine"
	"github.com/pinflow/pinflow/local/workspace/api"
)

// How long statements are kept (Statement Execution API).
const (
	// ResultLifetime is how long a result is available after success; then the statement is CLOSED.
	ResultLifetime = time.Hour
	// Lifetime is how long after its end a statement is deleted.
	Lifetime = 12 * time.Hour
)

// Engine runs statements.
type Engine interface {
	// Query runs one statement and returns its result. The error of a failed statement is an
	// *engine.StatementError, whose Message the client gets. When ctx ends, the statement is
	// interrupted and the call returns.
	Query(ctx context.Context, q engine.Query) (*engine.Table, error)
}

// Options configures the API. All fields are required.
type Options struct {
	WarehouseID string
	Engine      Engine
	// Slots is how many statements run at a time.
	Slots int
	Now   func() time.Time
}

// API holds the statements of this process. After a restart clients get NOT_FOUND and execute them
// again.
type API struct {
	options Options
	engine  Engine
	slots   chan struct{}
	now     func() time.Time

	mu   sync.Mutex
	byID map[string]*statement
	work sync.WaitGroup
	base context.Context
	stop context.CancelFunc
}

// New returns an API without statements.
func New(o Options) *API {
	base, stop := context.WithCancel(context.Background())
	return &API{options: o, engine: o.Engine, slots: make(chan struct{}, o.Slots), now: o.Now, byID: map[string]*statement{}, base: base, stop: stop}
}

// Routes returns the endpoints.
func (a *API) Routes() api.Routes {
	const path = "/api/2.0/sql/statements"
	return api.Routes{
		"POST " + path:                                                a.executeStatement,
		"POST " + path + "/{$}":                                       a.executeStatement,
		"GET " + path + "/{statement_id}":                             a.getStatement,
		"POST " + path + "/{statement_id}/cancel":                     a.cancelStatement,
		"GET " + path + "/{statement_id}/result/chunks/{chunk_index}": a.getStatementChunk,
	}
}
