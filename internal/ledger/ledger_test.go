package ledger

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/activities/activitytest"
	"github.com/pinflow/pinflow/activities/landing"
	"github.com/pinflow/pinflow/internal/bucket"
	"github.com/pinflow/pinflow/internal/bucket/buckettest"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/run"
)

func Entry(date dates.Date, runID string) Entry {
	return Entry{
		DAG: "pinterest-daily", Date: date, State: "success", Trigger: "backfill", WorkflowID: "pinterest-daily-" + string(date), RunID: runID,
		Started: landing.At(date, 24), Ended: landing.At(date, 25), Params: map[string]string{"invalid_followers": "null"},
		Tasks: []run.TaskRecord{{ID: "load", State: "success", Tries: 1, Outcome: run.Outcome{Rows: 12}}},
	}
}

func Write(t *testing.T, ledger *Ledger, entry Entry) {
	t.Helper()
	_, err := activitytest.Execute[struct{}](ledger.WriteLedger, entry)
	require.NoError(t, err)
}

func TestLedger_CountsRunsOfADate(t *testing.T) {
	ledger := &Ledger{Objects: buckettest.New()}
	read := func() int {
		found, err := activitytest.Execute[activities.LedgerEntries](ledger.ReadLedger, Range{DAG: "pinterest-daily", From: landing.Day, To: landing.Day})
		require.NoError(t, err)
		require.Len(t, found.Entries, 1)
		return found.Entries[0].Attempt
	}
	Write(t, ledger, Entry(landing.Day, "a"))
	require.Equal(t, 1, read())
	Write(t, ledger, Entry(landing.Day, "a"))
	require.Equal(t, 1, read(), "the same run, written again by a retry")
	Write(t, ledger, Entry(landing.Day, "b"))
	require.Equal(t, 2, read())
	Write(t, ledger, Entry(landing.Day, "b"))
	require.Equal(t, 2, read())
}

func TestLedger_ReadsTheDatesOfTheRangeInOrder(t *testing.T) {
	objects := buckettest.New()
	ledger := &Ledger{Objects: objects}
	for _, days := range []int{5, -2, 0, 3, 4, -1} {
		Write(t, ledger, Entry(landing.Day.Add(days), "a"))
	}
	other := Entry(landing.Day, "a")
	other.DAG = "pinterest-daily-2"
	Write(t, ledger, other)
	var gets []string
	objects.Fault = func(request, key string) error {
		objects.Mu.Lock()
		defer objects.Mu.Unlock()
		if request == "get" {
			gets = append(gets, key)
		}
		return nil
	}
	found, err := activitytest.Execute[activities.LedgerEntries](ledger.ReadLedger, Range{DAG: "pinterest-daily", From: landing.Day.Add(-1), To: landing.Day.Add(4)})
	require.NoError(t, err)
	var read []dates.Date
	for _, entry := range found.Entries {
		read = append(read, entry.Date)
	}
	require.Equal(t, []dates.Date{landing.Day.Add(-1), landing.Day, landing.Day.Add(3), landing.Day.Add(4)}, read)
	require.Len(t, gets, 4, "no object outside the range is read")
	want := Entry(landing.Day, "a")
	want.Attempt = 1
	require.Equal(t, want, found.Entries[1])
}

func TestLedger_ThousandsOfDatesFitIntoOnePayloadIfBrief(t *testing.T) {
	ledger := &Ledger{Objects: buckettest.New()}
	for i := range 3000 {
		long := Entry(landing.Day.Add(-i), "5b0cbd0c-5a3c-4f59-a1a5-8a5bb2a0a1f9")
		long.Error = strings.Repeat("x", 700)
		require.NoError(t, ledger.WriteLedger(context.Background(), long))
	}
	in := Range{DAG: "pinterest-daily", From: landing.Day.Add(-3000), To: landing.Day}
	_, err := activitytest.Execute[activities.LedgerEntries](ledger.ReadLedger, in)
	activitytest.RequireNonRetryable(t, err, failure.InvalidInput, "fewer dates")
	in.Brief = true
	found, err := activitytest.Execute[activities.LedgerEntries](ledger.ReadLedger, in)
	require.NoError(t, err)
	require.Len(t, found.Entries, 3000)
	require.Nil(t, found.Entries[0].Tasks)
	require.Equal(t, "success", found.Entries[0].State)
	require.Equal(t, landing.At(landing.Day, 25), found.Entries[2999].Ended.In(time.UTC))
}

func TestLedger_EmptyRangeIsNoError(t *testing.T) {
	ledger := &Ledger{Objects: buckettest.New()}
	found, err := activitytest.Execute[activities.LedgerEntries](ledger.ReadLedger, Range{DAG: "pinterest-daily", From: landing.Day, To: landing.Day})
	require.NoError(t, err)
	require.Empty(t, found.Entries)
}

func TestLedger_Errors(t *testing.T) {
	objects := buckettest.New()
	ledger := &Ledger{Objects: objects}
	_, err := activitytest.Execute[struct{}](ledger.WriteLedger, Entry{DAG: "pinterest-daily", Date: "soon"})
	activitytest.RequireNonRetryable(t, err, failure.InvalidInput, "soon")

	key := Key("pinterest-daily", landing.Day)
	require.NoError(t, objects.Put(context.Background(), bucket.PutInput{Key: key, Body: []byte("{")}))
	_, err = activitytest.Execute[struct{}](ledger.WriteLedger, Entry(landing.Day, "a"))
	activitytest.RequireNonRetryable(t, err, failure.Contradiction, "s3://bucket/"+key)

	objects.Fault = func(string, string) error { return errors.New("503 SlowDown") }
	_, err = activitytest.Execute[struct{}](ledger.WriteLedger, Entry(landing.Day, "a"))
	activitytest.RequireRetryable(t, err, "503 SlowDown", key)
	_, err = activitytest.Execute[activities.LedgerEntries](ledger.ReadLedger, Range{DAG: "pinterest-daily", From: landing.Day, To: landing.Day})
	activitytest.RequireRetryable(t, err, "503 SlowDown")
}
