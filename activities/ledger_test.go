package activities

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/activities/activitytest"
	"github.com/pinflow/pinflow/internal/bucket"
	"github.com/pinflow/pinflow/internal/bucket/buckettest"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/failure"
	"github.com/pinflow/pinflow/internal/ledger"
	"github.com/pinflow/pinflow/internal/run"
)

// day is the date of most tests.
const day = dates.Date("2022-10-18")

func newLedger() (*Ledger, *buckettest.Memory) {
	objects := buckettest.New()
	return &Ledger{Ledger: &ledger.Ledger{Objects: objects}}, objects
}

func TestLedger(t *testing.T) {
	t.Run("what_is_written_is_read", func(t *testing.T) {
		l, _ := newLedger()
		written := entryOf(day)
		_, err := activitytest.Execute[struct{}](l.WriteLedger, written)
		require.NoError(t, err)
		found, err := activitytest.Execute[LedgerEntries](l.ReadLedger, ledger.Query{DAG: written.DAG, From: day, To: day})
		require.NoError(t, err)
		written.Attempt = 1
		require.Equal(t, []ledger.Entry{written}, found.Entries)
	})

	t.Run("errors", func(t *testing.T) {
		l, objects := newLedger()
		_, err := activitytest.Execute[struct{}](l.WriteLedger, ledger.Entry{Status: run.Status{DAG: "pinterest-daily", Date: "soon"}})
		activitytest.RequireNonRetryable(t, err, failure.InvalidInput, "soon")
		_, err = activitytest.Execute[struct{}](l.WriteLedger, ledger.Entry{Status: run.Status{Date: day}})
		activitytest.RequireNonRetryable(t, err, failure.InvalidInput, "needs a DAG")

		const key = "runs/pinterest-daily/2022-10-18.json"
		require.NoError(t, objects.Put(t.Context(), bucket.PutInput{Key: key, Body: []byte("{")}))
		query := ledger.Query{DAG: "pinterest-daily", From: day, To: day}
		_, err = activitytest.Execute[struct{}](l.WriteLedger, entryOf(day))
		activitytest.RequireNonRetryable(t, err, failure.Contradiction, "s3://bucket/"+key)
		_, err = activitytest.Execute[LedgerEntries](l.ReadLedger, query)
		activitytest.RequireNonRetryable(t, err, failure.Contradiction, "s3://bucket/"+key)

		objects.FailBefore(func(string, string) error { return errors.New("503 SlowDown") })
		_, err = activitytest.Execute[struct{}](l.WriteLedger, entryOf(day))
		activitytest.RequireRetryable(t, err, "503 SlowDown", key)
		_, err = activitytest.Execute[LedgerEntries](l.ReadLedger, query)
		activitytest.RequireRetryable(t, err, "503 SlowDown")
	})
}

func TestReadLedger(t *testing.T) {
	t.Run("thousands_of_dates_fit_into_one_payload_if_brief", func(t *testing.T) {
		l, _ := newLedger()
		const dates = 3000
		for i := range dates {
			long := entryOf(day.Add(-i))
			long.RunID, long.Error = "5b0cbd0c-5a3c-4f59-a1a5-8a5bb2a0a1f9", strings.Repeat("x", 700)
			write(t, l.Ledger, long)
		}
		in := ledger.Query{DAG: "pinterest-daily", From: day.Add(-dates), To: day}
		_, err := activitytest.Execute[LedgerEntries](l.ReadLedger, in)
		activitytest.RequireNonRetryable(t, err, failure.InvalidInput, "fewer dates")
		in.Brief = true
		found, err := activitytest.Execute[LedgerEntries](l.ReadLedger, in)
		require.NoError(t, err)
		require.Len(t, found.Entries, dates)
		require.Nil(t, found.Entries[0].Tasks)
		require.Equal(t, run.Success, found.Entries[0].State)
	})
}
