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

	"github.com/pinflow/pinflow/internal/alarm"
	"github.com/pinflow/pinflow/internal/bucket"
	"github.com/pinflow/pinflow/internal/bucket/buckettest"
	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/observe"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/internal/schedule"
)

// watched is a deadman with a hook, a log and metrics of its own.
type watched struct {
	*deadman
	time    time.Time
	found   alarm.Found
	err     error
	ended   map[string]string // what resolves the alarms, by their causes
	metrics *observe.Metrics
	log     bytes.Buffer
	status  int
	reject  string // a date whose alarm the hook rejects
	alarmed []alarm.Alarm
}

func newWatched(t *testing.T, objects bucket.Objects, owner string) *watched {
	metrics, err := observe.NewMetrics()
	require.NoError(t, err)
	gauges, err := metrics.Dates()
	require.NoError(t, err)
	w := &watched{metrics: metrics, time: time.Date(2022, 10, 19, 6, 0, 30, 0, time.UTC), status: http.StatusOK, ended: map[string]string{}}
	log, err := observe.NewLogger(&w.log, "info")
	require.NoError(t, err)
	hook := httptest.NewServer(http.HandlerFunc(func(answer http.ResponseWriter, r *http.Request) {
		var a alarm.Alarm
		status := w.status
		if err := json.NewDecoder(r.Body).Decode(&a); err != nil || string(a.Date) == w.reject {
			status = http.StatusBadRequest
		}
		if status == http.StatusOK {
			w.alarmed = append(w.alarmed, a)
		}
		answer.WriteHeader(status)
	}))
	t.Cleanup(hook.Close)
	now := func() time.Time { return w.time }
	w.deadman = &deadman{
		catalog: dag.Catalog{DAGs: []dag.Definition{{Name: "pinterest-daily", Deadline: 6 * time.Hour}, {Name: "no-deadline"}}}, gauges: gauges, log: log, now: now,
		find: func(_ context.Context, named dag.Definition, since, now time.Time) (alarm.Found, error) {
			require.Equal(t, now.AddDate(0, 0, -deadmanDays), since)
			if named.Name != "pinterest-daily" {
				return alarm.Found{}, nil
			}
			found := w.found
			found.Checked = w.err == nil
			return found, w.err
		},
		over: func(_ context.Context, a alarm.Alarm) (string, bool, error) {
			reason, over := w.ended[a.Cause()]
			return reason, over, nil
		},
		logged: map[string]bool{}, posted: map[string]bool{},
		board: &alarm.Board{Objects: objects, Post: (&alarm.Hook{URL: hook.URL, Format: alarm.JSON, HTTP: hook.Client()}).Post, Owner: owner, Now: now},
	}
	return w
}

func (w *watched) gauge(t *testing.T, line string) bool {
	answer := httptest.NewRecorder()
	w.metrics.Handler().ServeHTTP(answer, httptest.NewRequest("GET", "/metrics", nil))
	require.Equal(t, http.StatusOK, answer.Code)
	return strings.Contains(answer.Body.String(), line)
}

// overdue returns what is found if these dates are overdue.
func overdue(all ...dates.Date) alarm.Found {
	found := alarm.Found{Overdue: make([]schedule.OverdueDate, len(all))}
	for _, date := range all {
		found.Alarms = append(found.Alarms, alarm.Alarm{Kind: alarm.Overdue, DAG: "pinterest-daily", Date: date, Text: string(date) + " is overdue"})
	}
	return found
}

// accepted returns what the hook has accepted.
func (w *watched) accepted() []string {
	var all []string
	for _, a := range w.alarmed {
		all = append(all, a.Cause()+" "+string(a.State))
	}
	return all
}

func TestDeadman(t *testing.T) {
	t.Run("raises_each_alarm_once_and_resolves_it", func(t *testing.T) {
		w := newWatched(t, buckettest.New(), "a")
		w.checkAll(t.Context())
		require.True(t, w.gauge(t, `pinflow_overdue_dates{dag="pinterest-daily"} 0`), "no date is overdue")
		require.False(t, w.gauge(t, `pinflow_overdue_dates{dag="no-deadline"}`), "a DAG without a deadline has no overdue dates")
		require.Empty(t, w.log.String())

		w.found = overdue("2022-10-17", "2022-10-18")
		w.found.Alarms = append(w.found.Alarms, alarm.Alarm{Kind: alarm.Held, DAG: "pinterest-daily", Date: "2022-10-19", RunID: "r1", Text: "it is held"})
		w.found.Open = map[run.State]int{run.Running: 2, run.Held: 1, run.Blocked: 0}
		for range 3 {
			w.checkAll(t.Context())
			w.time = w.time.Add(time.Minute)
		}
		require.True(t, w.gauge(t, `pinflow_overdue_dates{dag="pinterest-daily"} 2`))
		require.True(t, w.gauge(t, `pinflow_open_runs{dag="pinterest-daily",state="held"} 1`))
		raised := []string{"pinterest-daily/2022-10-17/overdue raised", "pinterest-daily/2022-10-18/overdue raised", "pinterest-daily/2022-10-19/held-r1 raised"}
		require.Equal(t, raised, w.accepted(), "each once")
		require.Equal(t, 3, strings.Count(w.log.String(), `"level":"ERROR"`), "each is logged once")

		w.found = alarm.Found{}
		w.checkAll(t.Context())
		require.True(t, w.gauge(t, `pinflow_overdue_dates{dag="pinterest-daily"} 0`), "the dates have run")
		require.Equal(t, raised, w.accepted(), "what is not found is not over: it may be too long ago")
		w.ended["pinterest-daily/2022-10-19/held-r1"] = "a decision was made"
		for range 3 {
			w.checkAll(t.Context())
		}
		require.Equal(t, append(raised, "pinterest-daily/2022-10-19/held-r1 resolved"), w.accepted())
	})

	t.Run("posts_again_when_the_hook_fails", func(t *testing.T) {
		w := newWatched(t, buckettest.New(), "a")
		w.found = overdue("2022-10-18")
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
		w.found = overdue("2022-10-16", "2022-10-17", "2022-10-18")
		w.reject = "2022-10-16"
		w.checkAll(t.Context())
		require.Len(t, w.alarmed, 2)
		require.Contains(t, w.log.String(), "400")
	})

	t.Run("posts_an_alarm_once_for_all_workers", func(t *testing.T) {
		objects := buckettest.New()
		a, b := newWatched(t, objects, "a"), newWatched(t, objects, "b")
		for _, w := range []*watched{a, b} {
			w.found = overdue("2022-10-18")
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
		w.board = nil
		w.found = overdue("2022-10-18")
		w.checkAll(t.Context())
		require.Contains(t, w.log.String(), "2022-10-18 is overdue")
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
