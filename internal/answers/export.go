package answers

import (
	"context"
	"fmt"
	"strconv"

	"golang.org/x/sync/errgroup"
)

// Export is the result of the pipeline as one JSON document.
type Export struct {
	// Rows counts the rows of the silver tables, by kind of record.
	Rows map[string]int64 `json:"rows"`
	// Rejected counts the records in quarantine, of all dates, by kind:reason, as in
	// "pin:follower_count".
	Rejected map[string]int64 `json:"rejected"`
	// Answers holds the rows of each answer, by its name.
	Answers map[string][][]any `json:"answers"`
}

// Export reads the tables, and counts the records of these kinds: each kind has a silver table of
// its name, and a table for its quarantine beside it. The error is ErrMissing if no run has created
// them yet.
func (w *Warehouse) Export(ctx context.Context, tables []Table, kinds []string) (Export, error) {
	export := Export{Rows: map[string]int64{}, Rejected: map[string]int64{}, Answers: map[string][][]any{}}
	counts := make([]int64, len(kinds))
	rejected := make([]map[string]int64, len(kinds))
	var all []Answer
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		all, err = w.FetchAll(ctx, tables)
		return err
	})
	group.Go(func() (err error) {
		for i, kind := range kinds {
			if counts[i], err = w.count(ctx, kind); err != nil {
				return err
			}
			if rejected[i], err = w.rejected(ctx, kind); err != nil {
				return err
			}
		}
		return nil
	})
	if err := group.Wait(); err != nil {
		return Export{}, err
	}
	for i, kind := range kinds {
		export.Rows[kind] = counts[i]
		for reason, n := range rejected[i] {
			export.Rejected[kind+":"+reason] = n
		}
	}
	for _, answer := range all {
		export.Answers[answer.Name] = answer.Rows
	}
	return export, nil
}

// count counts the rows of a silver table.
func (w *Warehouse) count(ctx context.Context, table string) (int64, error) {
	rows, err := w.Query(ctx, "SELECT count(*) FROM "+w.Name(table))
	if err != nil {
		return 0, w.explain(table, err)
	}
	if len(rows) != 1 || len(rows[0]) != 1 {
		return 0, fmt.Errorf("table %s: a count returned %v", table, rows)
	}
	return parseCount(table, rows[0][0])
}

// rejected counts the records of one kind in quarantine, by their reasons.
func (w *Warehouse) rejected(ctx context.Context, kind string) (map[string]int64, error) {
	table := kind + "_quarantine"
	rows, err := w.Query(ctx, "SELECT reason, count(*) FROM "+w.Name(table)+" GROUP BY reason")
	if err != nil {
		return nil, w.explain(table, err)
	}
	counts := make(map[string]int64, len(rows))
	for _, row := range rows {
		if len(row) != 2 {
			return nil, fmt.Errorf("table %s: a count by reason returned %v", table, row)
		}
		if counts[row[0]], err = parseCount(table, row[1]); err != nil {
			return nil, err
		}
	}
	return counts, nil
}

func parseCount(table, text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("table %s: %q is not a count", table, text)
	}
	return n, nil
}
