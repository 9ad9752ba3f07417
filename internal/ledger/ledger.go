// Package ledger keeps in the bucket what is known of logical dates beyond the namespace's
// retention: the latest run of each date, and what people noted about it. It also decides which
// dates run again.
package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/pinflow/pinflow/internal/bucket"
	"github.com/pinflow/pinflow/internal/dates"
)

// ErrUnreadable is the error of an entry that is not valid JSON. The ledger never writes one.
var ErrUnreadable = errors.New("unreadable ledger entry")

// Ledger keeps the latest run of each logical date at runs/<dag>/<date>.json.
type Ledger struct {
	Objects bucket.Objects
}

// Query selects the entries of a DAG for the dates From to To, both included.
type Query struct {
	DAG  string     `json:"dag"`
	From dates.Date `json:"from"`
	To   dates.Date `json:"to"`
	// Brief leaves out tasks, parameters, tags, errors and warnings, so that thousands of entries fit into
	// one payload.
	Brief bool `json:"brief,omitempty"`
}

// Entries returns the entries that exist, in the order of their dates.
func (l *Ledger) Entries(ctx context.Context, q Query) ([]Entry, error) {
	listed, err := l.Objects.List(ctx, bucket.ListInput{
		Prefix: prefix(q.DAG), After: prefix(q.DAG) + string(q.From), Before: prefix(q.DAG) + string(q.To.Add(1)),
	})
	if err != nil {
		return nil, fmt.Errorf("list the ledger of %s: %w", q.DAG, err)
	}
	entries := make([]Entry, len(listed))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(bucket.ParallelRequests)
	for i, object := range listed {
		group.Go(func() error {
			entry, err := l.read(ctx, object.Key)
			if q.Brief {
				entry.Tasks, entry.Params, entry.Error, entry.Tags, entry.Warnings = nil, nil, "", nil, nil
			}
			entries[i] = entry
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return entries, nil
}

// Entry returns the entry of a date, or nil if there is none.
func (l *Ledger) Entry(ctx context.Context, dag string, date dates.Date) (*Entry, error) {
	entry, err := l.read(ctx, key(dag, date))
	if errors.Is(err, bucket.ErrNotFound) {
		return nil, nil
	}
	return &entry, err
}

// HasBefore reports whether the ledger has an entry of a date before the given one.
func (l *Ledger) HasBefore(ctx context.Context, dag string, date dates.Date) (bool, error) {
	earlier, err := l.Objects.List(ctx, bucket.ListInput{Prefix: prefix(dag), Before: key(dag, date)})
	if err != nil {
		return false, fmt.Errorf("list the ledger of %s: %w", dag, err)
	}
	return len(earlier) > 0, nil
}

// First returns the first date of a DAG that has an entry; empty if there is none.
func (l *Ledger) First(ctx context.Context, dag string) (dates.Date, error) {
	listed, err := l.Objects.List(ctx, bucket.ListInput{Prefix: prefix(dag)})
	if err != nil {
		return "", fmt.Errorf("list the ledger of %s: %w", dag, err)
	}
	for _, object := range listed { // in the order of their dates
		if date, err := dates.Parse(strings.TrimSuffix(strings.TrimPrefix(object.Key, prefix(dag)), ".json")); err == nil {
			return date, nil
		}
	}
	return "", nil
}

// Write replaces the entry of the date and sets its attempt: one more than the replaced entry's.
// Writing the entry of the same run again keeps the attempt.
func (l *Ledger) Write(ctx context.Context, entry Entry) error {
	name := key(entry.DAG, entry.Date)
	former, err := l.read(ctx, name)
	if err != nil && !errors.Is(err, bucket.ErrNotFound) {
		return err
	}
	entry.Attempt = former.Attempt + 1
	if former.RunID == entry.RunID && former.Attempt > 0 {
		entry.Attempt = former.Attempt
	}
	body, err := json.MarshalIndent(entry, "", "  ")
	if err != nil {
		return fmt.Errorf("ledger entry %s: %w", name, err)
	}
	if err := l.Objects.Put(ctx, bucket.PutInput{Key: name, Body: body}); err != nil {
		return fmt.Errorf("write ledger entry %s: %w", name, err)
	}
	return nil
}

// read returns an entry, bucket.ErrNotFound or ErrUnreadable.
func (l *Ledger) read(ctx context.Context, name string) (Entry, error) {
	body, err := l.Objects.Get(ctx, name)
	if err != nil {
		return Entry{}, fmt.Errorf("read ledger entry %s: %w", name, err)
	}
	var entry Entry
	if err := json.Unmarshal(body, &entry); err != nil {
		return Entry{}, fmt.Errorf("%w %s: restore it, or delete it to run the date again: %w", ErrUnreadable, l.Objects.URI(name), err)
	}
	return entry, nil
}

func prefix(dag string) string { return "runs/" + dag + "/" }

func key(dag string, date dates.Date) string { return prefix(dag) + string(date) + ".json" }
