package activities

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/pinflow/pinflow/internal/dates"
)

// maxLedgerBytes keeps the answer of ReadLedger below the 2 MB that Temporal takes as one payload (limit.blobSize.error).
const maxLedgerBytes = 1_900_000

// Ledger keeps the latest run of each logical date in S3, at runs/<dag>/<date>.json. Temporal forgets closed runs after the
// namespace's retention; the ledger does not.
type Ledger struct {
	Objects Objects
}

// ReadLedger returns the entries of the dates [From, To] that exist, in the order of the dates. It fails for good if they are
// more than fits into one payload, thousands of dates; ask in parts then, or for brief entries.
func (l *Ledger) ReadLedger(ctx context.Context, in ReadLedgerInput) (LedgerEntries, error) {
	entries, err := l.Entries(ctx, in)
	if err != nil {
		return LedgerEntries{}, err
	}
	answer := LedgerEntries{Entries: entries}
	return answer, fitsPayload(in, answer)
}

// Entries returns what ReadLedger does, however much it is: for readers that are no activity.
func (l *Ledger) Entries(ctx context.Context, in ReadLedgerInput) ([]LedgerEntry, error) {
	listed, err := l.Objects.List(ctx, ListObjects{
		Prefix: ledgerPrefix(in.DAG), After: ledgerPrefix(in.DAG) + string(in.From), Before: ledgerPrefix(in.DAG) + string(in.To.Add(1)),
	})
	if err != nil {
		return nil, classifyS3(ctx, "list the ledger of "+in.DAG, err)
	}
	entries := make([]LedgerEntry, len(listed))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallelRequests)
	for i, object := range listed {
		group.Go(func() error {
			entry, err := l.read(ctx, object.Key)
			if in.Brief {
				entry.Tasks, entry.Params, entry.Error, entry.Tags = nil, nil, "", nil
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

func fitsPayload(in ReadLedgerInput, answer LedgerEntries) error {
	body, err := json.Marshal(answer)
	if err != nil {
		return fmt.Errorf("ledger of %s: %w", in.DAG, err)
	}
	if len(body) > maxLedgerBytes {
		return final(ErrorInput, nil, "the ledger of %s from %s to %s is %d bytes, more than one payload may have: ask for fewer dates, or for brief entries",
			in.DAG, in.From, in.To, len(body))
	}
	return nil
}

// WriteLedger puts the entry in the place of the date's former one and counts its attempt: one more than the former entry's.
// Writing the entry of the same run again does not count.
func (l *Ledger) WriteLedger(ctx context.Context, entry LedgerEntry) error {
	if _, err := dates.Parse(string(entry.Date)); err != nil || entry.DAG == "" {
		return final(ErrorInput, err, "a ledger entry needs a DAG and a date, not %q and %q", entry.DAG, entry.Date)
	}
	key := ledgerKey(entry.DAG, entry.Date)
	former, err := l.read(ctx, key)
	if err != nil && !errors.Is(err, ErrNoObject) {
		return err
	}
	entry.Attempt = former.Attempt + 1
	if former.RunID == entry.RunID && former.Attempt > 0 {
		entry.Attempt = former.Attempt
	}
	body, err := json.MarshalIndent(entry, "", "  ")
	if err != nil {
		return fmt.Errorf("ledger entry %s: %w", key, err)
	}
	return classifyS3(ctx, "write ledger entry "+key, l.Objects.Put(ctx, PutObject{Key: key, Body: body}))
}

// read returns an entry, or ErrNoObject.
func (l *Ledger) read(ctx context.Context, key string) (LedgerEntry, error) {
	body, err := l.Objects.Get(ctx, key)
	if errors.Is(err, ErrNoObject) {
		return LedgerEntry{}, err
	}
	if err != nil {
		return LedgerEntry{}, classifyS3(ctx, "read ledger entry "+key, err)
	}
	var entry LedgerEntry
	if err := json.Unmarshal(body, &entry); err != nil {
		return LedgerEntry{}, final(ErrorContradiction, err, "ledger entry %s cannot be read: restore it, or delete it to run the date anew: %v", l.Objects.URI(key), err)
	}
	return entry, nil
}
