package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/internal/bucket"
	"github.com/pinflow/pinflow/internal/bucket/buckettest"
	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/observe"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/internal/schedule"
)

// watched is a deadman with a hook, a log and metrics of its own.
type watched struct {
	*deadman
	time    time.Time
	report  schedule.Report
	err     error
	metrics *observe.Metrics
	log     bytes.Buffer
	status  int
	reject  string // a date whose alarm the hook rejects
	alarmed []map[string]string
}

func newWatched(t *testing.T, objects bucket.Objects, owner string) *watched {
	metrics, err := observe.NewMetrics()
	require.NoError(t, err)
	gauges, err := metrics.Dates()
	require.NoError(t, err)
	w := &watched{metrics: metrics, time: time.Date(2022, 10, 19, 6, 0, 30, 0, time.UTC), status: http.StatusOK}
	log, err := observe.NewLogger(&w.log, "info")
	require.NoError(t, err)
	hook := httptest.NewServer(http.HandlerFunc(func(answer http.ResponseWriter, r *http.Request) {
		var alarm map[string]string
		status := w.status
		if err := json.NewDecoder(r.Body).Decode(&alarm); err != nil || alarm["date"] == w.reject {
			status = http.StatusBadRequest
		}
		if status == http.StatusOK {
			w.alarmed = append(w.alarmed, alarm)
		}
		answer.WriteHeader(status)
	}))
	t.Cleanup(hook.Close)
	now := func() time.Time { return w.time }
	w.deadman = &deadman{
		deployment: run.DefaultDeployment,
		catalog:    dag.Catalog{DAGs: []dag.Definition{{Name: "pinterest-daily", Deadline: 6 * time.Hour}, {Name: "no-deadline"}}}, gauges: gauges, log: log, now: now,
		find: func(_ context.Context, named dag.Definition, since, now time.Time) (schedule.Report, error) {
			require.Equal(t, "pinterest-daily", named.Name, "a DAG without a deadline is not checked")
			require.Equal(t, now.AddDate(0, 0, -deadmanDays), since)
			return w.report, w.err
		},
		ui: "http://ui/namespaces/default", logged: map[string]string{}, posted: map[string]bool{},
		alarms: &activities.Alarms{Objects: objects, Hook: hook.URL, HTTP: hook.Client(), Owner: owner, Now: now},
	}
	return w
}

func (w *watched) gauge(t *testing.T, line string) bool {
	answer := httptest.NewRecorder()
	w.metrics.Handler().ServeHTTP(answer, httptest.NewRequest("GET", "/metrics", nil))
	require.Equal(t, http.StatusOK, answer.Code)
	return strings.Contains(answer.Body.String(), line)
}

func late(date string, state run.State) schedule.OverdueDate {
	due, _ := time.Parse(time.DateOnly, date)
	return schedule.OverdueDate{Date: schedule.LogicalDate(due.AddDate(0, 0, 1)), Deadline: due.Add(30 * time.Hour), State: state}
}

func TestDeadman(t *testing.T) {
	t.Run("raises_an_alarm_for_a_date_that_never_started", func(t *testing.T) {
		w := newWatched(t, buckettest.New(), "a")
		w.checkAll(t.Context())
		require.True(t, w.gauge(t, `pinflow_overdue_dates{dag="pinterest-daily"} 0`), "no date is overdue")
		require.Empty(t, w.log.String())

		w.report.Overdue = []schedule.OverdueDate{late("2022-10-17", run.Held), late("2022-10-18", run.None)}
		w.report.Paused = "holiday"
		for range 3 {
			w.checkAll(t.Context())
			w.time = w.time.Add(time.Minute)
		}
		require.True(t, w.gauge(t, `pinflow_overdue_dates{dag="pinterest-daily"} 2`))
		require.Equal(t, []map[string]string{
			{"dag": "pinterest-daily", "date": "2022-10-17", "deadline": "2022-10-18T06:00:00Z", "state": "held", "ui": "http://ui/namespaces/default/workflows/pinflow.pinterest-daily.2022-10-17",
				"text": "pinterest-daily of 2022-10-17 is overdue: its deadline was 2022-10-18 06:00 UTC, and its run is held and has not ended. See `starter status 2022-10-17 --dag pinterest-daily`."},
			{"dag": "pinterest-daily", "date": "2022-10-18", "deadline": "2022-10-19T06:00:00Z", "state": "none", "ui": "http://ui/namespaces/default/schedules/pinflow.pinterest-daily",
				"text": "pinterest-daily of 2022-10-18 is overdue: its deadline was 2022-10-19 06:00 UTC, and no run has ended and none is running. " +
					"The Schedule is paused: holiday. See `starter status --dag pinterest-daily`; run it with `starter run 2022-10-18 --dag pinterest-daily`."},
		}, w.alarmed, "each once")
		require.Equal(t, 2, strings.Count(w.log.String(), `"level":"ERROR"`), "each is logged once")

		w.report.Overdue = nil
		w.checkAll(t.Context())
		require.True(t, w.gauge(t, `pinflow_overdue_dates{dag="pinterest-daily"} 0`), "the dates have run")
	})

	t.Run("posts_again_when_the_hook_fails", func(t *testing.T) {
		w := newWatched(t, buckettest.New(), "a")
		w.report.Overdue = []schedule.OverdueDate{late("2022-10-18", run.None)}
		w.status = http.StatusInternalServerError
		w.checkAll(t.Context())
		require.Empty(t, w.alarmed)
		require.Contains(t, w.log.String(), "500")
		require.True(t, w.gauge(t, `pinflow_overdue_dates{dag="pinterest-daily"} 1`), "the gauge does not need the hook")
		w.status = http.StatusOK
		w.time = w.time.Add(time.Minute)
		w.checkAll(t.Context())
		require.Len(t, w.alarmed, 1)
	})

	t.Run("posts_the_other_alarms_if_one_is_rejected", func(t *testing.T) {
		w := newWatched(t, buckettest.New(), "a")
		w.report.Overdue = []schedule.OverdueDate{late("2022-10-16", run.None), late("2022-10-17", run.None), late("2022-10-18", run.None)}
		w.reject = "2022-10-16"
		w.checkAll(t.Context())
		require.Len(t, w.alarmed, 2)
		require.Contains(t, w.log.String(), "400")
	})

	t.Run("posts_an_alarm_once_for_all_workers", func(t *testing.T) {
		objects := buckettest.New()
		a, b := newWatched(t, objects, "a"), newWatched(t, objects, "b")
		for _, w := range []*watched{a, b} {
			w.report.Overdue = []schedule.OverdueDate{late("2022-10-18", run.None)}
		}
		var both sync.WaitGroup
		for _, w := range []*watched{a, b} {
			both.Go(func() { w.checkAll(t.Context()) })
		}
		both.Wait()
		require.Len(t, append(a.alarmed, b.alarmed...), 1, "exactly once")
	})

	t.Run("a_failed_check_is_logged_and_ages_its_gauge", func(t *testing.T) {
		w := newWatched(t, buckettest.New(), "a")
		w.checkAll(t.Context())
		require.True(t, w.gauge(t, `pinflow_overdue_check_timestamp_seconds{dag="pinterest-daily"} 1.66615923e+09`))
		before := w.log.Len()
		w.err = errors.New("the bucket does not answer")
		w.time = w.time.Add(time.Hour)
		w.checkAll(t.Context())
		require.Contains(t, w.log.String()[before:], "the bucket does not answer")
		require.False(t, w.gauge(t, `pinflow_overdue_check_timestamp_seconds{dag="pinterest-daily"} 1.66616283e+09`), "the gauge keeps the time of the last successful check")
		w.err = nil
		w.checkAll(t.Context())
		require.True(t, w.gauge(t, `pinflow_overdue_check_timestamp_seconds{dag="pinterest-daily"} 1.66616283e+09`))
	})

	t.Run("works_without_a_hook", func(t *testing.T) {
		w := newWatched(t, buckettest.New(), "a")
		w.alarms = nil
		w.report.Overdue = []schedule.OverdueDate{late("2022-10-18", run.Running)}
		w.checkAll(t.Context())
		require.Contains(t, w.log.String(), "its run is running")
		require.True(t, w.gauge(t, `pinflow_overdue_dates{dag="pinterest-daily"} 1`))
	})

	t.Run("ends_with_the_worker", func(t *testing.T) {
		w := newWatched(t, buckettest.New(), "a")
		ctx, end := context.WithCancel(t.Context())
		wait := w.start(ctx)
		end()
		wait()
	})
}
