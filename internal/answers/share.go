package answers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/pinflow/pinflow/internal/run"
)

// Share is how much cleaning rejected of the records of a topic, of all dates.
type Share struct {
	// Kind is the kind of record, as pin; Topic the name of its topic. Posts are counted, too.
	Kind  string `json:"kind"`
	Topic string `json:"topic"`
	// Records counts the records that were loaded, Quarantined those that were rejected.
	Records     int64 `json:"records"`
	Quarantined int64 `json:"quarantined"`
	// Reasons holds the most frequent reason first.
	Reasons []ReasonCount `json:"reasons"`
}

// ReasonCount is how many records were rejected for a reason.
type ReasonCount struct {
	Reason  string `json:"reason"`
	Records int64  `json:"records"`
}

// Shares reads how much cleaning rejected of these kinds of record. The error is ErrMissing if a table does not exist yet.
func (w *Warehouse) Shares(ctx context.Context, kinds []string, topics run.Topics) ([]Share, error) {
	all := make([]Share, len(kinds))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallelStatements)
	for i, kind := range kinds {
		group.Go(func() (err error) {
			all[i], err = w.share(ctx, kind, topics)
			return err
		})
	}
	return all, group.Wait()
}

// share asks for all counts in one statement, so that they are of one moment: a row for each reason,
// and one without a reason for the records.
func (w *Warehouse) share(ctx context.Context, kind string, topics run.Topics) (Share, error) {
	found := Share{Kind: kind, Topic: topics.Name(kind), Reasons: []ReasonCount{}}
	where := " WHERE topic IN " + topics.In(kind)
	rows, err := w.Query(ctx, fmt.Sprintf("SELECT reason, count(*) AS n FROM %s%s GROUP BY reason UNION ALL SELECT '' AS reason, count(*) AS n FROM %s%s",
		w.Name(kind+"_quarantine"), where, w.Name("raw"), where))
	if err != nil {
		return found, w.explain(kind+"_quarantine", err)
	}
	records := false
	for _, row := range rows {
		if len(row) != 2 {
			return found, fmt.Errorf("table %s_quarantine: a count by reason returned %v", kind, row)
		}
		n, err := parseCount(kind+"_quarantine", row[1])
		if err != nil {
			return found, err
		}
		if row[0] == "" {
			found.Records, records = n, true
			continue
		}
		found.Reasons = append(found.Reasons, ReasonCount{Reason: row[0], Records: n})
		found.Quarantined += n
	}
	if !records {
		return found, errors.New("table raw: its count is missing")
	}
	slices.SortFunc(found.Reasons, func(a, b ReasonCount) int {
		return cmp.Or(cmp.Compare(b.Records, a.Records), cmp.Compare(a.Reason, b.Reason))
	})
	return found, nil
}
