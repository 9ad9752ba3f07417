package runs

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// cursor is a place in the list of runs, which is ordered by start and id, newest first.
type cursor struct{ start, id int64 }

// listFilter selects the runs to list. before and after are exclusive; with after, the runs next to
// it are listed, still newest first.
type listFilter struct {
	active, completed bool
	jobID             int64
	from, to          int64
	before, after     *cursor
	offset, limit     int
}

// list returns at most limit runs, newest first, and whether there are more in the direction of the
// listing.
func (s *store) list(ctx context.Context, f listFilter) (runs []*Run, more bool, err error) {
	where, args := f.where()
	order := "DESC"
	if f.after != nil {
		order = "ASC"
	}
	statement := fmt.Sprintf(
		`SELECT body FROM runs WHERE %[1]s ORDER BY start_time %[2]s, run_id %[2]s LIMIT ? OFFSET ?`, where, order)
	rows, err := s.db.QueryContext(ctx, statement, append(args, f.limit+1, f.offset)...)
	if err != nil {
		return nil, false, fmt.Errorf("list runs: %w", err)
	}
	if runs, err = scanRuns(rows); err != nil {
		return nil, false, fmt.Errorf("list runs: %w", err)
	}
	if more = len(runs) > f.limit; more {
		runs = runs[:f.limit]
	}
	if f.after != nil {
		slices.Reverse(runs)
	}
	return runs, more, nil
}

func (f listFilter) where() (string, []any) {
	conditions, args := []string{"1 = 1"}, []any{}
	add := func(condition string, values ...any) {
		conditions, args = append(conditions, condition), append(args, values...)
	}
	if f.active {
		add("end_time = 0")
	}
	if f.completed {
		add("end_time > 0")
	}
	if f.jobID != 0 {
		add("job_id = ?", f.jobID)
	}
	if f.from != 0 {
		add("start_time >= ?", f.from)
	}
	if f.to != 0 {
		add("start_time <= ?", f.to)
	}
	if f.before != nil {
		add("(start_time, run_id) < (?, ?)", f.before.start, f.before.id)
	}
	if f.after != nil {
		add("(start_time, run_id) > (?, ?)", f.after.start, f.after.id)
	}
	return strings.Join(conditions, " AND "), args
}

func scanRuns(rows *sql.Rows) (runs []*Run, err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var body string
		if err := rows.Scan(&body); err != nil {
			return nil, err
		}
		r, err := decodeRun(body)
		if err != nil {
			return nil, err
		}
		runs = append(runs, r)
	}
	return runs, rows.Err()
}
