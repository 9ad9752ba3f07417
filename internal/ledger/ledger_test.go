package ledger

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/bucket"
	"github.com/pinflow/pinflow/internal/bucket/buckettest"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/run"
)

const (
	dag = "pinterest-daily"
	day = dates.Date("2022-10-18")
)

// entry returns an entry with all fields set.
func entry(date dates.Date, runID string) Entry {
	at := func(hours int) time.Time { return date.Start().Add(time.Duration(hours) * time.Hour) }
	return Entry{Status: run.Status{
		DAG: dag, Date: date, State: run.Failed, Trigger: run.Backfill, Partial: true, Until: at(23),
		WorkflowID: run.DefaultDeployment.WorkflowID(dag, date), RunID: runID, Started: at(24), Ended: at(25),
		Params: map[string]string{"invalid_followers": "null"}, TriggeredBy: "ann", Tags: []string{"repair"}, Error: "task query failed",
		Tasks: []run.Task{
			{ID: "load", TriggerRule: "all_success", Pool: "load", State: run.Success, Tries: 1, Started: at(24), Ended: at(25), Outcome: run.Outcome{Rows: 12}},
			{ID: "query", After: []string{"load"}, TriggerRule: "all_success", State: run.Failed, Tries: 1, Error: "broken", Decision: "fail by ann: hopeless", History: []run.Try{
				{Number: 1, State: run.Failed, Started: at(24), Ended: at(25), Queued: at(24), Granted: at(24), JobRunID: 3, Error: "broken"},
			}},
		},
	}}
}

func write(t *testing.T, ledger *Ledger, entry Entry) {
	t.Helper()
	require.NoError(t, ledger.Write(t.Context(), entry))
}

func TestLedger(t *testing.T) {
	t.Run("an_entry_is_read_back_as_it_was_written", func(t *testing.T) {
		ledger := &Ledger{Objects: buckettest.New()}
		none, err := ledger.Entry(t.Context(), dag, day)
		require.NoError(t, err)
		require.Nil(t, none)
		write(t, ledger, entry(day, "a"))
		read, err := ledger.Entry(t.Context(), dag, day)
		require.NoError(t, err)
		want := entry(day, "a")
		want.Attempt = 1
		require.Equal(t, &want, read)
	})

	t.Run("counts_the_runs_of_a_date", func(t *testing.T) {
		ledger := &Ledger{Objects: buckettest.New()}
		attempt := func() int {
			read, err := ledger.Entry(t.Context(), dag, day)
			require.NoError(t, err)
			return read.Attempt
		}
		write(t, ledger, entry(day, "a"))
		require.Equal(t, 1, attempt())
		write(t, ledger, entry(day, "a"))
		require.Equal(t, 1, attempt(), "the same run, written again by a retry")
		write(t, ledger, entry(day, "b"))
		require.Equal(t, 2, attempt())
		write(t, ledger, entry(day, "b"))
		require.Equal(t, 2, attempt())
	})

	t.Run("entries_are_those_of_the_dag_and_the_dates_in_order", func(t *testing.T) {
		objects := buckettest.New()
		ledger := &Ledger{Objects: objects}
		for _, days := range []int{5, -2, 0, 3, 4, -1} {
			write(t, ledger, entry(day.Add(days), "a"))
		}
		other := entry(day, "a")
		other.DAG = dag + "-2"
		write(t, ledger, other)
		gets := make(chan string, 10) // entries are read in parallel
		objects.FailBefore(func(request, key string) error {
			if request == "get" {
				gets <- key
			}
			return nil
		})
		found, err := ledger.Entries(t.Context(), Query{DAG: dag, From: day.Add(-1), To: day.Add(4)})
		require.NoError(t, err)
		var read []dates.Date
		for _, e := range found {
			read = append(read, e.Date)
		}
		require.Equal(t, []dates.Date{day.Add(-1), day, day.Add(3), day.Add(4)}, read)
		require.Len(t, gets, 4, "only objects of the range are read")
		require.Equal(t, day, Find(found, day).Date)
		require.Nil(t, Find(found, day.Add(1)))
	})

	t.Run("brief_entries_lack_what_is_long", func(t *testing.T) {
		ledger := &Ledger{Objects: buckettest.New()}
		write(t, ledger, entry(day, "a"))
		found, err := ledger.Entries(t.Context(), Query{DAG: dag, From: day, To: day, Brief: true})
		require.NoError(t, err)
		want := entry(day, "a")
		want.Attempt, want.Tasks, want.Params, want.Tags, want.Error = 1, nil, nil, nil, ""
		require.Equal(t, []Entry{want}, found)
	})

	t.Run("has_before_looks_at_earlier_dates_of_the_dag", func(t *testing.T) {
		ledger := &Ledger{Objects: buckettest.New()}
		has := func(date dates.Date) bool {
			found, err := ledger.HasBefore(t.Context(), dag, date)
			require.NoError(t, err)
			return found
		}
		other := entry(day.Add(-9), "a")
		other.DAG = "another"
		write(t, ledger, other)
		require.False(t, has(day))
		write(t, ledger, entry(day, "a"))
		require.False(t, has(day), "the date itself is not before it")
		require.True(t, has(day.Add(1)))
	})

	t.Run("empty_range_is_no_error", func(t *testing.T) {
		found, err := (&Ledger{Objects: buckettest.New()}).Entries(t.Context(), Query{DAG: dag, From: day, To: day})
		require.NoError(t, err)
		require.Empty(t, found)
	})

	t.Run("an_unreadable_entry_is_neither_read_nor_replaced", func(t *testing.T) {
		objects := buckettest.New()
		ledger := &Ledger{Objects: objects}
		name := key(dag, day)
		require.NoError(t, objects.Put(t.Context(), bucket.PutInput{Key: name, Body: []byte("{")}))
		err := ledger.Write(t.Context(), entry(day, "a"))
		require.ErrorIs(t, err, ErrUnreadable)
		require.ErrorContains(t, err, "s3://bucket/"+name+": restore it, or delete it to run the date again")
		require.Equal(t, "{", string(objects.Body(name)))
		_, err = ledger.Entry(t.Context(), dag, day)
		require.ErrorIs(t, err, ErrUnreadable)
		_, err = ledger.Entries(t.Context(), Query{DAG: dag, From: day, To: day})
		require.ErrorIs(t, err, ErrUnreadable)
	})

	t.Run("errors_of_the_bucket_name_the_entry", func(t *testing.T) {
		objects := buckettest.New()
		ledger := &Ledger{Objects: objects}
		slow := errors.New("503 SlowDown")
		objects.FailBefore(func(string, string) error { return slow })
		err := ledger.Write(t.Context(), entry(day, "a"))
		require.ErrorIs(t, err, slow)
		require.ErrorContains(t, err, key(dag, day))
		_, err = ledger.Entry(t.Context(), dag, day)
		require.ErrorIs(t, err, slow)
		_, err = ledger.Entries(t.Context(), Query{DAG: dag, From: day, To: day})
		require.ErrorIs(t, err, slow)
		_, err = ledger.HasBefore(t.Context(), dag, day)
		require.ErrorIs(t, err, slow)
	})
}
