package workspace

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/local/engine"
)

// startWithRuns returns a workspace with n ended runs, a minute apart, oldest first.
func startWithRuns(t *testing.T, n int, clock *clock, o Options) (*testWorkspace, []int64) {
	o.Now = clock.Now
	w := startWorkspace(t, o)
	w.importSQL("/Shared/a", "SELECT 1")
	var ids []int64
	for i := range n {
		id := w.submit(jobs.SubmitRun{RunName: fmt.Sprint("run ", i), Tasks: []jobs.SubmitTask{notebookTask("a", "/Shared/a")}})
		w.waitEnded(id)
		ids = append(ids, id)
		clock.advance(time.Minute)
	}
	return w, ids
}

func newestFirst(ids []int64) []int64 {
	reversed := make([]int64, len(ids))
	for i, id := range ids {
		reversed[len(ids)-1-i] = id
	}
	return reversed
}

func idsOf(runs []jobs.BaseRun) []int64 {
	var ids []int64
	for _, r := range runs {
		ids = append(ids, r.RunId)
	}
	return ids
}

func TestList(t *testing.T) {
	t.Parallel()
	t.Run("pages_through_all_runs_newest_first", func(t *testing.T) {
		t.Parallel()
		w, ids := startWithRuns(t, 45, newClock(), Options{})
		for _, limit := range []int{0, 1, 7, 25} {
			all, err := w.jobs.ListRunsAll(t.Context(), jobs.ListRunsRequest{Limit: limit})
			require.NoError(t, err)
			require.Equal(t, newestFirst(ids), idsOf(all))
		}
	})

	t.Run("page_tokens_work_both_ways_while_runs_start", func(t *testing.T) {
		t.Parallel()
		clock := newClock()
		w, ids := startWithRuns(t, 7, clock, Options{})
		want := newestFirst(ids)
		first, next, prev, more := w.page(url.Values{"limit": {"3"}})
		require.Equal(t, want[:3], first)
		require.True(t, more)
		require.Empty(t, prev)

		newer := w.submit(jobs.SubmitRun{Tasks: []jobs.SubmitTask{notebookTask("a", "/Shared/a")}})
		w.waitEnded(newer)
		second, next, prev, more := w.page(url.Values{"limit": {"3"}, "page_token": {next}})
		require.Equal(t, want[3:6], second, "a new run moves nothing")
		require.True(t, more)
		last, end, _, more := w.page(url.Values{"limit": {"3"}, "page_token": {next}})
		require.Equal(t, want[6:], last)
		require.Empty(t, end)
		require.False(t, more)

		back, _, prev, _ := w.page(url.Values{"limit": {"3"}, "page_token": {prev}})
		require.Equal(t, want[:3], back)
		back, _, prev, _ = w.page(url.Values{"limit": {"3"}, "page_token": {prev}})
		require.Equal(t, []int64{newer}, back)
		require.Empty(t, prev)
	})

	t.Run("default_page_is20_and_limit_zero_is_the_maximum", func(t *testing.T) {
		t.Parallel()
		w, _ := startWithRuns(t, 27, newClock(), Options{})
		ids, _, _, _ := w.page(nil)
		require.Len(t, ids, 20)
		ids, _, _, _ = w.page(url.Values{"limit": {"0"}})
		require.Len(t, ids, 25)
	})

	t.Run("filters", func(t *testing.T) {
		t.Parallel()
		clock := newClock()
		block := newBlocking()
		w := startWorkspace(t, Options{Now: clock.Now, Engine: &fakeEngine{runNotebook: func(ctx context.Context, source string, params map[string]string) (*engine.Table, error) {
			if params["block"] != "" {
				return block.run(ctx, source, params)
			}
			return &engine.Table{}, nil
		}}})
		w.importSQL("/Shared/a", "SELECT 1")
		ended := w.submit(jobs.SubmitRun{Tasks: []jobs.SubmitTask{notebookTask("a", "/Shared/a")}})
		endedRun := w.waitEnded(ended)
		clock.advance(time.Minute)
		task := notebookTask("a", "/Shared/a")
		task.NotebookTask.BaseParameters = map[string]string{"block": "yes"}
		active := w.submit(jobs.SubmitRun{Tasks: []jobs.SubmitTask{task}})
		<-block.started
		activeStart := w.get(active).StartTime
		for name, test := range map[string]struct {
			request jobs.ListRunsRequest
			want    []int64
		}{
			"all":              {jobs.ListRunsRequest{}, []int64{active, ended}},
			"active":           {jobs.ListRunsRequest{ActiveOnly: true}, []int64{active}},
			"completed":        {jobs.ListRunsRequest{CompletedOnly: true}, []int64{ended}},
			"submit runs":      {jobs.ListRunsRequest{RunType: jobs.RunTypeSubmitRun}, []int64{active, ended}},
			"job runs":         {jobs.ListRunsRequest{RunType: jobs.RunTypeJobRun}, nil},
			"workflow runs":    {jobs.ListRunsRequest{RunType: jobs.RunTypeWorkflowRun}, nil},
			"of a job":         {jobs.ListRunsRequest{JobId: endedRun.JobId}, []int64{ended}},
			"from, inclusive":  {jobs.ListRunsRequest{StartTimeFrom: activeStart}, []int64{active}},
			"to, inclusive":    {jobs.ListRunsRequest{StartTimeTo: endedRun.StartTime}, []int64{ended}},
			"from and to":      {jobs.ListRunsRequest{StartTimeFrom: endedRun.StartTime + 1, StartTimeTo: activeStart - 1}, nil},
			"offset":           {jobs.ListRunsRequest{Offset: 1}, []int64{ended}},
			"active with name": {jobs.ListRunsRequest{ActiveOnly: true, ExpandTasks: true}, []int64{active}},
		} {
			t.Run(name, func(t *testing.T) {
				runs, err := w.jobs.ListRunsAll(t.Context(), test.request)
				require.NoError(t, err)
				require.Equal(t, test.want, idsOf(runs))
				for _, r := range runs {
					require.Equal(t, test.request.ExpandTasks, len(r.Tasks) > 0)
				}
			})
		}
		close(block.released)
		w.waitEnded(active)
	})

	t.Run("rejects_invalid_parameters", func(t *testing.T) {
		t.Parallel()
		w := startWorkspace(t, Options{})
		for _, query := range []string{
			"active_only=true&completed_only=true", "limit=26", "limit=-1", "limit=x", "offset=-1", "page_token=nonsense", "page_token=!", "run_type=OTHER", "active_only=maybe", "start_time_from=now",
		} {
			status, _, body := w.call(http.MethodGet, "/api/2.2/jobs/runs/list?"+query, testToken, "")
			require.Equal(t, http.StatusBadRequest, status, query)
			require.Equal(t, "INVALID_PARAMETER_VALUE", body["error_code"], query)
		}
	})
}

// page returns one page of the list as in the API.
func (w *testWorkspace) page(query url.Values) (ids []int64, next, prev string, more bool) {
	w.t.Helper()
	status, _, body := w.call(http.MethodGet, "/api/2.2/jobs/runs/list?"+query.Encode(), testToken, "")
	require.Equal(w.t, http.StatusOK, status, body)
	runs, _ := body["runs"].([]any)
	for _, r := range runs {
		ids = append(ids, int64(r.(map[string]any)["run_id"].(float64)))
	}
	next, _ = body["next_page_token"].(string)
	prev, _ = body["prev_page_token"].(string)
	more, _ = body["has_more"].(bool)
	return ids, next, prev, more
}
