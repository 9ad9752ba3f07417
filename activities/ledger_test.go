package activities

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/dates"
)

func entry(date dates.Date, runID string) LedgerEntry {
	return LedgerEntry{
		DAG: "pinterest-daily", Date: date, State: "success", Trigger: "backfill", WorkflowID: "pinterest-daily-" + string(date), RunID: runID,
		Started: at(date, 24), Ended: at(date, 25), Params: map[string]string{"invalid_followers": "null"},
		Tasks: []TaskRecord{{ID: "load", State: "success", Tries: 1, Outcome: Outcome{Rows: 12}}},
	}
}

func write(t *testing.T, ledger *Ledger, entry LedgerEntry) {
	t.Helper()
	_, err := execute[struct{}](ledger.WriteLedger, entry)
	require.NoError(t, err)
}

func TestLedger_CountsRunsOfADate(t *testing.T) {
	ledger := &Ledger{Objects: newBucket()}
	read := func() int {
		found, err := execute[LedgerEntries](ledger.ReadLedger, ReadLedgerInput{DAG: "pinterest-daily", From: day, To: day})
		require.NoError(t, err)
		require.Len(t, found.Entries, 1)
		return found.Entries[0].Attempt
	}
	write(t, ledger, entry(day, "a"))
	require.Equal(t, 1, read())
	write(t, ledger, entry(day, "a"))
	require.Equal(t, 1, read(), "the same run, written again by a retry")
	write(t, ledger, entry(day, "b"))
	require.Equal(t, 2, read())
	write(t, ledger, entry(day, "b"))
	require.Equal(t, 2, read())
}

func TestLedger_ReadsTheDatesOfTheRangeInOrder(t *testing.T) {
	objects := newBucket()
	ledger := &Ledger{Objects: objects}
	for _, days := range []int{5, -2, 0, 3, 4, -1} {
		write(t, ledger, entry(day.Add(days), "a"))
	}
	other := entry(day, "a")
	other.DAG = "pinterest-daily-2"
	write(t, ledger, other)
	var gets []string
	objects.fault = func(request, key string) error {
		objects.mu.Lock()
		defer objects.mu.Unlock()
		if request == "get" {
			gets = append(gets, key)
		}
		return nil
	}
	found, err := execute[LedgerEntries](ledger.ReadLedger, ReadLedgerInput{DAG: "pinterest-daily", From: day.Add(-1), To: day.Add(4)})
	require.NoError(t, err)
	var read []dates.Date
	for _, entry := range found.Entries {
		read = append(read, entry.Date)
	}
	require.Equal(t, []dates.Date{day.Add(-1), day, day.Add(3), day.Add(4)}, read)
	require.Len(t, gets, 4, "no object outside the range is read")
	want := entry(day, "a")
	want.Attempt = 1
	require.Equal(t, want, found.Entries[1])
}

func TestLedger_ThousandsOfDatesFitIntoOnePayloadIfBrief(t *testing.T) {
	ledger := &Ledger{Objects: newBucket()}
	for i := range 3000 {
		long := entry(day.Add(-i), "5b0cbd0c-5a3c-4f59-a1a5-8a5bb2a0a1f9")
		long.Error = strings.Repeat("x", 700)
		require.NoError(t, ledger.WriteLedger(context.Background(), long))
	}
	in := ReadLedgerInput{DAG: "pinterest-daily", From: day.Add(-3000), To: day}
	_, err := execute[LedgerEntries](ledger.ReadLedger, in)
	requireFinal(t, err, ErrorInput, "fewer dates")
	in.Brief = true
	found, err := execute[LedgerEntries](ledger.ReadLedger, in)
	require.NoError(t, err)
	require.Len(t, found.Entries, 3000)
	require.Nil(t, found.Entries[0].Tasks)
	require.Equal(t, "success", found.Entries[0].State)
	require.Equal(t, at(day, 25), found.Entries[2999].Ended.In(time.UTC))
}

func TestLedger_EmptyRangeIsNoError(t *testing.T) {
	ledger := &Ledger{Objects: newBucket()}
	found, err := execute[LedgerEntries](ledger.ReadLedger, ReadLedgerInput{DAG: "pinterest-daily", From: day, To: day})
	require.NoError(t, err)
	require.Empty(t, found.Entries)
}

func TestLedger_Errors(t *testing.T) {
	objects := newBucket()
	ledger := &Ledger{Objects: objects}
	_, err := execute[struct{}](ledger.WriteLedger, LedgerEntry{DAG: "pinterest-daily", Date: "soon"})
	requireFinal(t, err, ErrorInput, "soon")

	key := ledgerKey("pinterest-daily", day)
	require.NoError(t, objects.Put(context.Background(), PutObject{Key: key, Body: []byte("{")}))
	_, err = execute[struct{}](ledger.WriteLedger, entry(day, "a"))
	requireFinal(t, err, ErrorContradiction, "s3://bucket/"+key)

	objects.fault = func(string, string) error { return errors.New("503 SlowDown") }
	_, err = execute[struct{}](ledger.WriteLedger, entry(day, "a"))
	requireRetryable(t, err, "503 SlowDown", key)
	_, err = execute[LedgerEntries](ledger.ReadLedger, ReadLedgerInput{DAG: "pinterest-daily", From: day, To: day})
	requireRetryable(t, err, "503 SlowDown")
}
