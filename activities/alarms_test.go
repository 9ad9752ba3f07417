package activities

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/bucket"
	"github.com/pinflow/pinflow/internal/bucket/buckettest"
)

// hook is a service that receives alarms.
type hook struct {
	*httptest.Server
	mu     sync.Mutex
	taken  []Alarm
	status int
	asked  int
}

func newHook(t *testing.T) *hook {
	h := &hook{status: http.StatusOK}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.asked++
		var alarm Alarm
		if err := json.NewDecoder(r.Body).Decode(&alarm); err != nil || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.WriteHeader(h.status)
		if h.status == http.StatusOK {
			h.taken = append(h.taken, alarm)
		}
	}))
	t.Cleanup(h.Close)
	return h
}

// alarmer returns the Alarms of one worker.
func alarmer(objects bucket.Objects, h *hook, owner string, now *time.Time) *Alarms {
	return &Alarms{Objects: objects, Hook: h.URL + "/secret", HTTP: h.Client(), Owner: owner, Now: func() time.Time { return *now }}
}

var overdueAlarm = Alarm{
	DAG: "pinterest-daily", Date: "2022-10-18", Deadline: time.Date(2022, 10, 19, 6, 0, 0, 0, time.UTC), State: "none", Text: "it is overdue", UI: "http://ui",
}

const sentAlarm = "alarms/pinterest-daily/2022-10-18.json"

func TestAlarms(t *testing.T) {
	t.Run("are_posted_once_over_workers_and_restarts", func(t *testing.T) {
		objects, h, now := buckettest.New(), newHook(t), time.Date(2022, 10, 19, 6, 1, 0, 0, time.UTC)
		raised, err := alarmer(objects, h, "a", &now).Raise(t.Context(), overdueAlarm)
		require.NoError(t, err)
		require.Equal(t, RaisedNow, raised)
		require.Equal(t, []Alarm{overdueAlarm}, h.taken)
		for _, owner := range []string{"a", "b", "a after a restart"} {
			now = now.Add(time.Hour)
			raised, err = alarmer(objects, h, owner, &now).Raise(t.Context(), overdueAlarm)
			require.NoError(t, err)
			require.Equal(t, RaisedBefore, raised)
		}
		require.Equal(t, 1, h.asked)

		other := overdueAlarm
		other.Date = "2022-10-19"
		raised, err = alarmer(objects, h, "b", &now).Raise(t.Context(), other)
		require.NoError(t, err)
		require.Equal(t, RaisedNow, raised, "another date is another alarm")
	})

	t.Run("are_posted_again_until_the_hook_accepts_them", func(t *testing.T) {
		objects, h, now := buckettest.New(), newHook(t), time.Date(2022, 10, 19, 6, 1, 0, 0, time.UTC)
		a, b := alarmer(objects, h, "a", &now), alarmer(objects, h, "b", &now)
		h.status = http.StatusInternalServerError
		for range 10 { // longer than a claim holds: it is renewed with each try
			_, err := a.Raise(t.Context(), overdueAlarm)
			require.ErrorContains(t, err, "500")
			require.NotContains(t, err.Error(), "secret")
			raised, err := b.Raise(t.Context(), overdueAlarm)
			require.NoError(t, err)
			require.Equal(t, RaisedElsewhere, raised, "one worker tries")
			now = now.Add(time.Minute)
		}
		h.status = http.StatusOK
		raised, err := a.Raise(t.Context(), overdueAlarm)
		require.NoError(t, err)
		require.Equal(t, RaisedNow, raised)
		require.Len(t, h.taken, 1)
		require.Len(t, objects.Keys("alarms/"), 2, "one claim, however many tries")
	})

	t.Run("are_taken_over_from_a_dead_worker", func(t *testing.T) {
		objects, h, now := buckettest.New(), newHook(t), time.Date(2022, 10, 19, 6, 1, 0, 0, time.UTC)
		a, b, c := alarmer(objects, h, "a", &now), alarmer(objects, h, "b", &now), alarmer(objects, h, "c", &now)
		h.status = http.StatusServiceUnavailable
		_, err := a.Raise(t.Context(), overdueAlarm)
		require.Error(t, err) // and a has gone
		h.status = http.StatusOK
		now = now.Add(alarmLease - time.Second)
		raised, err := b.Raise(t.Context(), overdueAlarm)
		require.NoError(t, err)
		require.Equal(t, RaisedElsewhere, raised)
		now = now.Add(time.Second)
		raised, err = b.Raise(t.Context(), overdueAlarm)
		require.NoError(t, err)
		require.Equal(t, RaisedNow, raised)
		for _, late := range []*Alarms{a, c} {
			raised, err = late.Raise(t.Context(), overdueAlarm)
			require.NoError(t, err)
			require.Equal(t, RaisedBefore, raised)
		}
		require.Len(t, h.taken, 1)
	})

	t.Run("a_restarted_worker_leaves_its_alarm_to_the_new_owner", func(t *testing.T) {
		objects, h, now := buckettest.New(), newHook(t), time.Date(2022, 10, 19, 6, 1, 0, 0, time.UTC)
		a, b := alarmer(objects, h, "a", &now), alarmer(objects, h, "b", &now)
		h.status = http.StatusServiceUnavailable
		_, err := a.Raise(t.Context(), overdueAlarm)
		require.Error(t, err)
		now = now.Add(alarmLease)
		_, err = b.Raise(t.Context(), overdueAlarm)
		require.Error(t, err)
		raised, err := a.Raise(t.Context(), overdueAlarm)
		require.NoError(t, err)
		require.Equal(t, RaisedElsewhere, raised)
	})

	t.Run("are_not_lost_when_workers_race", func(t *testing.T) {
		objects, h, now := buckettest.New(), newHook(t), time.Date(2022, 10, 19, 6, 1, 0, 0, time.UTC)
		var all sync.WaitGroup
		results := make([]Raised, 8)
		for i := range results {
			all.Go(func() {
				results[i], _ = alarmer(objects, h, string(rune('a'+i)), &now).Raise(t.Context(), overdueAlarm)
			})
		}
		all.Wait()
		require.Len(t, h.taken, 1)
		require.Contains(t, results, RaisedNow)
		require.Contains(t, objects.Keys("alarms/"), sentAlarm)
	})

	// Both workers list the claims before either writes its own: the conditional write decides.
	t.Run("only_one_of_two_claims_is_written", func(t *testing.T) {
		objects, h, now := buckettest.New(), newHook(t), time.Date(2022, 10, 19, 6, 1, 0, 0, time.UTC)
		a, b := alarmer(objects, h, "a", &now), alarmer(objects, h, "b", &now)
		var byB Raised
		once := false
		objects.FailBefore(func(request, key string) error {
			if request == "put" && strings.Contains(key, "claim") && !once {
				once = true
				var err error
				byB, err = b.Raise(t.Context(), overdueAlarm)
				require.NoError(t, err)
			}
			return nil
		})
		raised, err := a.Raise(t.Context(), overdueAlarm)
		require.NoError(t, err)
		require.Equal(t, []Raised{RaisedNow, RaisedElsewhere}, []Raised{byB, raised})
		require.Len(t, h.taken, 1)
	})

	// The worst case: the hook accepted the alarm, and the object that records it was not written.
	t.Run("are_posted_twice_at_worst", func(t *testing.T) {
		objects, h, now := buckettest.New(), newHook(t), time.Date(2022, 10, 19, 6, 1, 0, 0, time.UTC)
		broken := errors.New("the bucket does not answer")
		objects.FailBefore(func(request, key string) error {
			if request == "put" && key == sentAlarm {
				return broken
			}
			return nil
		})
		a := alarmer(objects, h, "a", &now)
		_, err := a.Raise(t.Context(), overdueAlarm)
		require.ErrorIs(t, err, broken)
		objects.FailBefore(nil)
		raised, err := a.Raise(t.Context(), overdueAlarm)
		require.NoError(t, err)
		require.Equal(t, RaisedNow, raised)
		require.Len(t, h.taken, 2)
	})

	t.Run("errors_do_not_contain_the_url_of_the_hook", func(t *testing.T) {
		h, now := newHook(t), time.Date(2022, 10, 19, 6, 1, 0, 0, time.UTC)
		a := alarmer(buckettest.New(), h, "a", &now)
		h.Close()
		_, err := a.Raise(t.Context(), overdueAlarm)
		require.ErrorContains(t, err, "cannot reach the hook")
		require.ErrorContains(t, err, "127.0.0.1")
		require.NotContains(t, err.Error(), "secret")
	})
}
