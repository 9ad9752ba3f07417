package runs

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"

	_ "modernc.org/sqlite" // the database/sql driver of the store
)

// store keeps the runs in a SQLite database. Each change of a run is a transaction, so that a kill
// -9 loses no state that a client has seen.
type store struct{ db *sql.DB }

var (
	// ErrMissing is the error for a run that does not exist.
	ErrMissing = errors.New("no such run")
	// errTokenDeleted is the error for an idempotency token whose run was deleted: the API
	// documents an error, and no second run.
	errTokenDeleted = errors.New("the run with this idempotency token was deleted")
)

const schema = `
CREATE TABLE IF NOT EXISTS runs (
	run_id     INTEGER PRIMARY KEY,
	job_id     INTEGER NOT NULL,
	start_time INTEGER NOT NULL,
	end_time   INTEGER NOT NULL,
	body       TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS runs_by_start ON runs (start_time, run_id);
CREATE TABLE IF NOT EXISTS task_runs (
	run_id        INTEGER PRIMARY KEY,
	parent_run_id INTEGER NOT NULL REFERENCES runs (run_id) ON DELETE CASCADE
);
CREATE INDEX IF NOT EXISTS task_runs_by_parent ON task_runs (parent_run_id);
CREATE TABLE IF NOT EXISTS tokens (
	token   TEXT PRIMARY KEY,
	run_id  INTEGER NOT NULL,
	deleted INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS ids (next INTEGER NOT NULL);
INSERT INTO ids (next) SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM ids);
`

func openStore(ctx context.Context, path string) (*store, error) {
	dsn := (&url.URL{Scheme: "file", Path: path, RawQuery: url.Values{"_pragma": {
		"journal_mode(WAL)", "synchronous(NORMAL)", "foreign_keys(ON)", "busy_timeout(5000)",
	}}.Encode()}).String()
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fmt.Errorf("open the run store %s: %w", path, err)
	}
	// One connection serializes the transactions, which makes two submits with the same token safe.
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(ctx, schema); err != nil {
		return nil, errors.Join(fmt.Errorf("open the run store %s: %w", path, err), db.Close())
	}
	return &store{db: db}, nil
}

func (s *store) close() error { return s.db.Close() }

// ping returns an error if the database does not respond.
func (s *store) ping(ctx context.Context) error { return s.db.PingContext(ctx) }

// submit stores a new run and sets its id and those of its tasks. If a run with the same token
// exists, it stores nothing and returns that run's id.
func (s *store) submit(ctx context.Context, r *Run) (id int64, created bool, err error) {
	err = s.transaction(ctx, func(tx *sql.Tx) error {
		if r.Token != "" {
			var deleted bool
			err := tx.QueryRowContext(ctx, `SELECT run_id, deleted FROM tokens WHERE token = ?`, r.Token).Scan(&id, &deleted)
			switch {
			case err == nil && deleted:
				return errTokenDeleted
			case err == nil:
				return nil
			case !errors.Is(err, sql.ErrNoRows):
				return err
			}
		}
		created = true
		id, err = s.insert(ctx, tx, r)
		return err
	})
	return id, created && err == nil, err
}

func (s *store) insert(ctx context.Context, tx *sql.Tx, r *Run) (int64, error) {
	var next int64
	if err := tx.QueryRowContext(ctx, `UPDATE ids SET next = next + ? RETURNING next`, 2+len(r.Tasks)).Scan(&next); err != nil {
		return 0, err
	}
	r.JobID, r.ID = next-2-int64(len(r.Tasks)), next-1-int64(len(r.Tasks))
	for i, t := range r.Tasks {
		t.ID = r.ID + 1 + int64(i)
	}
	body, err := json.Marshal(r)
	if err != nil {
		return 0, err
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO runs (run_id, job_id, start_time, end_time, body) VALUES (?, ?, ?, ?, ?)`,
		r.ID, r.JobID, r.Submitted, r.Ended, string(body)); err != nil {
		return 0, err
	}
	for _, t := range r.Tasks {
		if _, err := tx.ExecContext(ctx, `INSERT INTO task_runs (run_id, parent_run_id) VALUES (?, ?)`, t.ID, r.ID); err != nil {
			return 0, err
		}
	}
	if r.Token != "" {
		if _, err := tx.ExecContext(ctx, `INSERT INTO tokens (token, run_id) VALUES (?, ?)`, r.Token, r.ID); err != nil {
			return 0, err
		}
	}
	return r.ID, nil
}

// save writes the state of a run that was submitted.
func (s *store) save(ctx context.Context, r *Run) error {
	body, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("save run %d: %w", r.ID, err)
	}
	if _, err := s.db.ExecContext(ctx, `UPDATE runs SET end_time = ?, body = ? WHERE run_id = ?`, r.Ended, string(body), r.ID); err != nil {
		return fmt.Errorf("save run %d: %w", r.ID, err)
	}
	return nil
}

// find returns a run by its id or by that of one of its tasks, or ErrMissing.
func (s *store) find(ctx context.Context, runID int64) (*Run, error) {
	var body string
	err := s.db.QueryRowContext(ctx, `SELECT body FROM runs WHERE run_id = ?1 OR run_id = (SELECT parent_run_id FROM task_runs WHERE run_id = ?1)`, runID).Scan(&body)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrMissing
	}
	if err != nil {
		return nil, fmt.Errorf("read run %d: %w", runID, err)
	}
	return decodeRun(body)
}

func decodeRun(body string) (*Run, error) {
	var r Run
	if err := json.Unmarshal([]byte(body), &r); err != nil {
		return nil, fmt.Errorf("read a stored run: %w", err)
	}
	return &r, nil
}

// delete deletes a run and keeps its token as used.
func (s *store) delete(ctx context.Context, runID int64) error {
	return s.transaction(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `UPDATE tokens SET deleted = 1 WHERE run_id = ?`, runID); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM runs WHERE run_id = ?`, runID)
		return err
	})
}

// endInterrupted ends the runs that were active when the last process died, and returns how many.
func (s *store) endInterrupted(ctx context.Context, now time.Time) (int, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT body FROM runs WHERE end_time = 0`)
	if err != nil {
		return 0, fmt.Errorf("read the active runs: %w", err)
	}
	runs, err := scanRuns(rows)
	if err != nil {
		return 0, fmt.Errorf("read the active runs: %w", err)
	}
	for _, r := range runs {
		r.end(internalError("The workspace restarted while the run was in progress. Submit the run again under a new idempotency token."), now.UnixMilli())
		if err := s.save(ctx, r); err != nil {
			return 0, err
		}
	}
	return len(runs), nil
}

// expire deletes the runs that ended before a time, with their tokens, and returns how many.
func (s *store) expire(ctx context.Context, before time.Time) (removed int64, err error) {
	err = s.transaction(ctx, func(tx *sql.Tx) error {
		const old = `SELECT run_id FROM runs WHERE end_time > 0 AND end_time < ?`
		if _, err := tx.ExecContext(ctx, `DELETE FROM tokens WHERE run_id IN (`+old+`)`, before.UnixMilli()); err != nil {
			return err
		}
		result, err := tx.ExecContext(ctx, `DELETE FROM runs WHERE run_id IN (`+old+`)`, before.UnixMilli())
		if err != nil {
			return err
		}
		removed, err = result.RowsAffected()
		return err
	})
	return removed, err
}

func (s *store) transaction(ctx context.Context, do func(*sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("write to the run store: %w", err)
	}
	if err := do(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("write to the run store: %w", err)
	}
	return nil
}
