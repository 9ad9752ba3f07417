package answers

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"golang.org/x/sync/errgroup"

	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/run"
)

// maxRejectedText is how much of the text of a rejected record is read, in characters.
const maxRejectedText = 1000

// Quarantined is what cleaning rejected of one topic and date.
type Quarantined struct {
	// Kind is the kind of record, as pin; Topic the name of its topic. Rejected posts are there, too.
	Kind  string `json:"kind"`
	Topic string `json:"topic"`
	// Records counts the rejected records.
	Records int64 `json:"records"`
	// Reasons holds the most frequent reason first.
	Reasons []RejectReason `json:"reasons"`
}

// RejectReason is a reason for which records were rejected, with examples.
type RejectReason struct {
	Reason   string     `json:"reason"`
	Records  int64      `json:"records"`
	Examples []Rejected `json:"examples"`
}

// Rejected is a rejected record and its place.
type Rejected struct {
	// Topic is the topic of the kind, or that of posts.
	Topic     string `json:"topic"`
	Partition int64  `json:"partition"`
	Offset    int64  `json:"offset"`
	// Element is the position in the array that the record was sent in; 0 for the first, or without
	// an array.
	Element int64  `json:"element"`
	File    string `json:"file"`
	// Text is the record as it was sent, up to 1,000 characters of it.
	Text string `json:"text"`
	// Tombstone reports whether the record has no value, not even an empty one.
	Tombstone bool `json:"tombstone,omitempty"`
}

// Quarantine reads what cleaning rejected of these kinds of record, with so many examples for each
// reason. The error is ErrMissing if a table does not exist
// yet.
func (w *Warehouse) Quarantine(ctx context.Context, date dates.Date, kinds []string, topics run.Topics, examples int) ([]Quarantined, error) {
	all := make([]Quarantined, len(kinds))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallelStatements)
	for i, kind := range kinds {
		group.Go(func() (err error) {
			all[i], err = w.quarantined(ctx, date, kind, topics, examples)
			return err
		})
	}
	return all, group.Wait()
}

func (w *Warehouse) quarantined(ctx context.Context, date dates.Date, kind string, topics run.Topics, examples int) (Quarantined, error) {
	found := Quarantined{Kind: kind, Topic: topics.Name(kind), Reasons: []RejectReason{}}
	rows, err := w.Query(ctx, fmt.Sprintf("SELECT reason, n, topic_partition, topic_offset, element, file, value, tombstone, topic FROM ("+
		"SELECT reason, count(*) OVER (PARTITION BY reason) AS n, row_number() OVER (PARTITION BY reason ORDER BY topic, topic_partition, topic_offset, element, file) AS place, "+
		"topic_partition, topic_offset, element, file, substr(value, 1, %d) AS value, value IS NULL AS tombstone, topic FROM %s WHERE logical_date = DATE'%s' AND topic IN %s) AS rejected "+
		"WHERE place <= %d ORDER BY n DESC, reason, place",
		maxRejectedText, w.Name(kind+"_quarantine"), date, topics.In(kind), max(1, examples)))
	if errors.Is(err, ErrMissing) {
		return found, fmt.Errorf("no records of %s have been cleaned yet in schema %s: run the DAG first, with `starter run` (table %s_quarantine: %w)", kind, w.Schema, kind, err)
	}
	if err != nil {
		return found, fmt.Errorf("table %s_quarantine: %w", kind, err)
	}
	for _, row := range rows {
		if len(row) != 9 {
			return found, fmt.Errorf("table %s_quarantine: a row has %d values, want 9", kind, len(row))
		}
		var numbers [4]int64 // how many records, and the place
		for i := range numbers {
			if numbers[i], err = strconv.ParseInt(row[1+i], 10, 64); err != nil {
				return found, fmt.Errorf("table %s_quarantine: %q is not a number", kind, row[1+i])
			}
		}
		last := len(found.Reasons) - 1
		if last < 0 || found.Reasons[last].Reason != row[0] {
			found.Reasons = append(found.Reasons, RejectReason{Reason: row[0], Records: numbers[0], Examples: []Rejected{}})
			found.Records += numbers[0]
			last++
		}
		if reason := &found.Reasons[last]; len(reason.Examples) < examples {
			reason.Examples = append(reason.Examples, Rejected{Partition: numbers[1], Offset: numbers[2], Element: numbers[3], File: row[5], Text: row[6], Tombstone: row[7] == "true", Topic: row[8]})
		}
	}
	return found, nil
}
