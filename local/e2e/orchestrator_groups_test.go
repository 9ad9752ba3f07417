package e2e

import (
	"fmt"
	"os"
	"testing"

	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/run"
)

func TestGroups(t *testing.T) {
	t.Parallel()
	// One bad date among many leaves none undone: the group that has it is split, until the date
	// fails alone. What has succeeded does not run again.
	t.Run("one_bad_date_fails_alone", func(t *testing.T) {
		onShared.enter(t)
		const days = 24
		s := startTenant(t)
		s.post(wire.lines(t), 0, 1)
		from, bad, to := ago(days-1), ago(10), ago(0) // the records are today's
		source, err := os.ReadFile("../../notebooks/clean_geo.sql")
		require.NoError(t, err)
		s.breakNotebook("clean_geo", fmt.Sprintf("%s\n-- COMMAND ----------\n\nSELECT CAST(CASE WHEN :logical_dates LIKE '%%%s%%' THEN 'bad date' ELSE '1' END AS INT)", source, bad))
		backfill := []string{"backfill", "--from", string(from), "--to", string(to), "--parallel", fmt.Sprint(days), "--wait"}
		code, stdout, stderr := s.starter(backfill...)
		require.Equal(t, 1, code, "a partial success is no success\n%s%s", stdout, stderr)

		first := s.ledger()
		require.Len(t, first, days)
		for date, entry := range first {
			want := run.Success
			if date == bad {
				want = run.Failed
			}
			require.Equal(t, want, entry.State, "%s: %s", date, entry.Error)
		}
		failed := s.statusOf(string(bad)).Task("clean_geo")
		require.Equal(t, run.Failed, failed.State)
		require.Empty(t, failed.Together, "it failed alone")
		require.NotEmpty(t, failed.History[0].Together)
		require.Contains(t, s.must("status", string(to)), "one Databricks run for ")
		runs := 0
		for _, all := range s.databricksRuns() {
			runs += len(all)
		}
		require.Less(t, runs, days*tasksOfDaily/3, "Databricks runs, without groups there would be %d", days*tasksOfDaily)

		s.must("notebooks", "push")
		s.must(append(backfill, "--reprocess", "failed")...)
		again := s.ledger()
		for date, entry := range again {
			require.Equal(t, run.Success, entry.State, date)
			if date != to { // which was partial: it is not over
				require.Equal(t, date != bad, entry.RunID == first[date].RunID, "%s: only what failed runs again", date)
			}
		}
		requireAnswers(t, wire.expected(t, 1), s.exportAnswers())
	})

	t.Run("cancelling_one_date_leaves_its_companions", func(t *testing.T) {
		onShared.enter(t)
		s := startTenant(t)
		source, err := os.ReadFile("../../notebooks/load.sql")
		require.NoError(t, err)
		s.breakNotebook("load", string(source)+"\n-- COMMAND ----------\n\nSELECT sleep_ms(8000)")
		days := []dates.Date{ago(3), ago(2), ago(1)}
		s.must("backfill", "--from", string(days[0]), "--to", string(days[2]), "--parallel", "3")
		task := func(i int) run.Task { return s.statusOf(string(days[i])).Task("load") }
		s.eventually("the three are at work", func() bool {
			all := task(1)
			return all.State == run.Running && all.JobRunID != 0
		})
		require.Equal(t, days, task(1).Together)
		job := task(1).JobRunID
		s.must("notebooks", "push")
		s.must("cancel", string(days[1]), "--reason", "its source is late")
		s.eventually("it is cancelled", func() bool { return task(1).State == run.Cancelled })
		require.Equal(t, run.Running, task(0).State, "the companions do not wait for it")
		for _, i := range []int{0, 2} {
			s.must("status", string(days[i]), "--watch")
			status := s.statusOf(string(days[i]))
			require.Equal(t, run.Success, status.State)
			require.Equal(t, job, status.Task("load").JobRunID)
		}
		for _, all := range s.databricksRuns() {
			for _, r := range all {
				require.Equal(t, jobs.RunResultStateSuccess, r.State.ResultState, r.RunName)
			}
		}
	})
}
