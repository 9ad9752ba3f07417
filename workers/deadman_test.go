package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/activities"
	"github.com/pinflow/pinflow/internal/bucket"
	"github.com/pinflow/pinflow/internal/dag"
	"github.com/pinflow/pinflow/internal/observe"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/internal/schedule"
)

// memory is a bucket in memory, with S3's rule for If-None-Match.
type memory struct {
	bucket.Objects
	mu      sync.Mutex
	objects map[string][]byte
}

func (m *memory) List(_ context.Context, list bucket.ListInput) (all []bucket.Object, _ error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(m.objects)) {
		if strings.HasPrefix(key, list.Prefix) {
			all = append(all, bucket.Object{Key: key})
		}
	}
	return all, nil
}

func (m *memory) Get(_ context.Context, key string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	body, ok := m.objects[key]
	if !ok {
		return nil, bucket.ErrNotFound
	}
	return body, nil
}

func (m *memory) Put(_ context.Context, object bucket.PutInput) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.objects[object.Key]; ok && object.OnlyNew {
		return bucket.ErrExists
	}
	m.objects[object.Key] = object.Body
	return nil
}

// watched is a deadman in a world of its own.
type watched struct {
	*deadman
	time    time.Time
	report  schedule.Report
	err     error
	metrics *observe.Metrics
	log     bytes.Buffer
	status  int
	refuse  string // a date that the hook does not take
	posted  []map[string]string
}

func newWatched(t *testing.T, objects *memory, owner string) *watched {
	metrics, err := observe.NewMetrics()
	require.NoError(t, err)
	gauges, err := metrics.Dates()
	require.NoError(t, err)
	w := &watched{metrics: metrics, time: time.Date(2022, 10, 19, 6, 0, 30, 0, time.UTC), status: http.StatusOK, report: schedule.Report{Scheduled: true}}
	log, err := observe.NewLogger(&w.log, "info")
	require.NoError(t, err)
	hook := httptest.NewServer(http.HandlerFunc(func(answer http.ResponseWriter, r *http.Request) {
		var alarm map[string]string
		status := w.status
		if err := json.NewDecoder(r.Body).Decode(&alarm); err != nil || alarm["date"] == w.refuse {
			status = http.StatusBadRequest
		}
		if status == http.StatusOK {
			w.posted = append(w.posted, alarm)
		}
		answer.WriteHeader(status)
	}))
	t.Cleanup(hook.Close)
	now := func() time.Time { return w.time }
	w.deadman = &deadman{
		dags: []dag.Definition{{Name: "pinterest-daily", Deadline: 6 * time.Hour}, {Name: "no-deadline"}}, gauges: gauges, log: log, now: now,
		find: func(_ context.Context, named dag.Definition, since, now time.Time) (schedule.Report, error) {
			require.Equal(t, "pinterest-daily", named.Name, "a DAG without a deadline is not looked at")
			require.Equal(t, now.AddDate(0, 0, -deadmanDays), since)
			return w.report, w.err
		},
		ui: "http://ui/namespaces/default", seen: map[string]string{}, settled: map[string]bool{},
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

func TestDeadman_RaisesAnAlarmForADateThatNeverStarted(t *testing.T) {
	w := newWatched(t, &memory{objects: map[string][]byte{}}, "a")
	w.look(t.Context())
	require.True(t, w.gauge(t, `pinflow_overdue_dates{dag="pinterest-daily"} 0`), "all is well")
	require.Empty(t, w.log.String())

	w.report.Overdue = []schedule.OverdueDate{late("2022-10-17", run.Held), late("2022-10-18", run.None)}
	w.report.Paused = "holiday"
	for range 3 {
		w.look(t.Context())
		w.time = w.time.Add(time.Minute)
	}
	require.True(t, w.gauge(t, `pinflow_overdue_dates{dag="pinterest-daily"} 2`))
	require.Equal(t, []map[string]string{
		{"dag": "pinterest-daily", "date": "2022-10-17", "due": "2022-10-18T06:00:00Z", "state": "held", "ui": "http://ui/namespaces/default/workflows/pinterest-daily-2022-10-17",
			"text": "pinterest-daily of 2022-10-17 is overdue: it was due at 2022-10-18 06:00 UTC, and its run is held and has not ended. See `starter status 2022-10-17`."},
		{"dag": "pinterest-daily", "date": "2022-10-18", "due": "2022-10-19T06:00:00Z", "state": "none", "ui": "http://ui/namespaces/default/schedules/pinterest-daily",
			"text": "pinterest-daily of 2022-10-18 is overdue: it was due at 2022-10-19 06:00 UTC, and no run of it has ended and none is going. " +
				"The Schedule is paused: holiday. See `starter status`; run it with `starter run 2022-10-18`."},
	}, w.posted, "each once")
	require.Equal(t, 2, strings.Count(w.log.String(), `"level":"ERROR"`), "each is logged once")

	w.report.Overdue = nil
	w.look(t.Context())
	require.True(t, w.gauge(t, `pinflow_overdue_dates{dag="pinterest-daily"} 0`), "mended")
}

func TestDeadman_PostsAgainWhenTheHookFails(t *testing.T) {
	w := newWatched(t, &memory{objects: map[string][]byte{}}, "a")
	w.report.Overdue = []schedule.OverdueDate{late("2022-10-18", run.None)}
	w.status = http.StatusInternalServerError
	w.look(t.Context())
	require.Empty(t, w.posted)
	require.Contains(t, w.log.String(), "500")
	require.True(t, w.gauge(t, `pinflow_overdue_dates{dag="pinterest-daily"} 1`), "the gauge does not need the hook")
	w.status = http.StatusOK
	w.time = w.time.Add(time.Minute)
	w.look(t.Context())
	require.Len(t, w.posted, 1)
}

func TestDeadman_PostsTheOthersIfOneIsRefused(t *testing.T) {
	w := newWatched(t, &memory{objects: map[string][]byte{}}, "a")
	w.report.Overdue = []schedule.OverdueDate{late("2022-10-16", run.None), late("2022-10-17", run.None), late("2022-10-18", run.None)}
	w.refuse = "2022-10-16"
	w.look(t.Context())
	require.Len(t, w.posted, 2)
	require.Contains(t, w.log.String(), "400")
}

func TestDeadman_IsOneOverAllWorkers(t *testing.T) {
	objects := &memory{objects: map[string][]byte{}}
	a, b := newWatched(t, objects, "a"), newWatched(t, objects, "b")
	for _, w := range []*watched{a, b} {
		w.report.Overdue = []schedule.OverdueDate{late("2022-10-18", run.None)}
	}
	var both sync.WaitGroup
	for _, w := range []*watched{a, b} {
		both.Go(func() { w.look(t.Context()) })
	}
	both.Wait()
	require.Len(t, append(a.posted, b.posted...), 1, "not lost, and once")
}

func TestDeadman_TellsThatItCouldNotLook(t *testing.T) {
	w := newWatched(t, &memory{objects: map[string][]byte{}}, "a")
	w.look(t.Context())
	require.True(t, w.gauge(t, `pinflow_overdue_check_timestamp_seconds{dag="pinterest-daily"} 1.66615923e+09`))
	before := w.log.Len()
	w.err = errors.New("the bucket does not answer")
	w.time = w.time.Add(time.Hour)
	w.look(t.Context())
	require.Contains(t, w.log.String()[before:], "the bucket does not answer")
	require.False(t, w.gauge(t, `pinflow_overdue_check_timestamp_seconds{dag="pinterest-daily"} 1.66616283e+09`), "the gauge grows old")
	w.err = nil
	w.look(t.Context())
	require.True(t, w.gauge(t, `pinflow_overdue_check_timestamp_seconds{dag="pinterest-daily"} 1.66616283e+09`))
}

func TestDeadman_NeedsNoHook(t *testing.T) {
	w := newWatched(t, &memory{objects: map[string][]byte{}}, "a")
	w.alarms = nil
	w.report.Overdue = []schedule.OverdueDate{late("2022-10-18", run.Running)}
	w.look(t.Context())
	require.Contains(t, w.log.String(), "its run is running")
	require.True(t, w.gauge(t, `pinflow_overdue_dates{dag="pinterest-daily"} 1`))
}

func TestDeadman_EndsWithTheWorker(t *testing.T) {
	w := newWatched(t, &memory{objects: map[string][]byte{}}, "a")
	ctx, end := context.WithCancel(t.Context())
	wait := w.start(ctx)
	end()
	wait()
}
