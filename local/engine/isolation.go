package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/duckdb/duckdb-go/v2"
	"golang.org/x/sync/semaphore"
)

// isolation makes writes of one table serial, and rejects those that conflict on Databricks: as in
// Delta, a statement has read the table when it starts, so that a write that commits between its
// start and its turn may have changed what it has read.
// https://docs.databricks.com/aws/en/optimizations/isolation-level
//
// DuckDB alone finds conflicts in rows that both writers changed, and none in those that both
// added: two MERGEs of the same new keys would both insert them.
type isolation struct {
	mu     sync.Mutex
	tables map[string]*history
}

// history is what has been committed to a table while statements write it or wait for it.
type history struct {
	// turn is held in part by writers that append, and in full by all others.
	turn    *semaphore.Weighted
	users   int
	waiting int // users whose turn it is not yet
	commits []write
}

// everything is the whole of a turn.
const everything = math.MaxInt64

// turn is a statement's turn to write a table.
type turn struct {
	isolation *isolation
	table     string
	history   *history
	weight    int64
	held      bool // whether it is the statement's turn; it may be at once
	seen      int  // commits from before the statement started
}

// enter starts a statement that writes a table. The caller must call leave.
func (s *isolation) enter(table string, w write) *turn {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tables == nil {
		s.tables = map[string]*history{}
	}
	h := s.tables[table]
	if h == nil {
		h = &history{turn: semaphore.NewWeighted(everything)}
		s.tables[table] = h
	}
	h.users++
	t := &turn{isolation: s, table: table, history: h, weight: everything, seen: len(h.commits)}
	if w.operation == appending {
		t.weight = 1
	}
	t.held = h.turn.TryAcquire(t.weight)
	return t
}

// wait waits for the turn. Turns are granted in the order of their requests.
func (t *turn) wait(ctx context.Context) error {
	if t.held {
		return nil
	}
	t.isolation.waits(t.history, +1)
	defer t.isolation.waits(t.history, -1)
	if err := t.history.turn.Acquire(ctx, t.weight); err != nil {
		return err
	}
	t.held = true
	return nil
}

func (s *isolation) waits(h *history, change int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h.waiting += change
}

// meanwhile returns what has been committed to the table since the statement started.
func (t *turn) meanwhile() []write {
	t.isolation.mu.Lock()
	defer t.isolation.mu.Unlock()
	return slices.Clone(t.history.commits[t.seen:])
}

// committed records a write that succeeded.
func (t *turn) committed(w write) {
	t.isolation.mu.Lock()
	defer t.isolation.mu.Unlock()
	t.history.commits = append(t.history.commits, w)
}

// leave ends the turn.
func (t *turn) leave() {
	t.isolation.mu.Lock()
	defer t.isolation.mu.Unlock()
	if t.held {
		t.history.turn.Release(t.weight)
	}
	if t.history.users--; t.history.users == 0 {
		delete(t.isolation.tables, t.table)
	}
}

// conflictError is a write that lost its table to a concurrent one. Its text is that of Delta.
// https://docs.databricks.com/aws/en/error-messages/
type conflictError struct{ class, explanation string }

func (e *conflictError) Error() string {
	return fmt.Sprintf("[%s] %s Please retry the operation. SQLSTATE: 2D521", e.class, e.explanation)
}

// conflict returns the error of a write by a commit that came after its start, or nil if Delta
// takes both. rowsChanged reports whether the rows that the write has read are not the same now.
func conflict(table string, w, commit write, rowsChanged func() bool) error {
	switch {
	case commit.operation == replacing || commit.operation == defining:
		if w.operation == defining {
			return nil
		}
		return &conflictError{"DELTA_METADATA_CHANGED",
			fmt.Sprintf("MetadataChangedException: The metadata of the Delta table %s has been changed by a concurrent %s.", table, commit.name)}
	case w.operation == appending || w.operation == defining:
		return nil
	case commit.operation == appending:
		return nil // WriteSerializable, the default: the added rows come after the write
	case !rowsChanged():
		return nil
	}
	reason, explanation := "WHOLE_TABLE_READ", "This transaction attempted to read the entire table, conflicting with the concurrent modification. "+
		"Consider adding filters to your query to narrow the data scope."
	if w.rows != nil {
		reason, explanation = "ROW_LEVEL_CHANGES", "The concurrent operation modified the same rows that this transaction attempted to modify."
	}
	if commit.name == "DELETE" || commit.name == "TRUNCATE" {
		return &conflictError{"DELTA_CONCURRENT_DELETE_READ." + reason,
			fmt.Sprintf("Transaction conflict detected, a concurrent %s deleted data from table %s that this transaction read. %s", commit.name, table, explanation)}
	}
	return &conflictError{"DELTA_CONCURRENT_APPEND." + reason,
		fmt.Sprintf("Transaction conflict detected. A concurrent %s added data to table %s. %s", commit.name, table, explanation)}
}

// inDelta returns the error of Delta for a conflict that DuckDB found: with a definition of the
// schema, whose tables have no turn.
func inDelta(err error) error {
	var duck *duckdb.Error
	if errors.As(err, &duck) && duck.Type == duckdb.ErrorTypeTransaction && strings.Contains(strings.ToLower(duck.Msg), "conflict") {
		return &conflictError{"DELTA_CONCURRENT_WRITE", "ConcurrentWriteException: A concurrent transaction has written new data since the current transaction read the table (" + duck.Msg + ")."}
	}
	return err
}
