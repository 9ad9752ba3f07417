package e2e

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/alarm"
	"github.com/pinflow/pinflow/internal/run"
)

// alarmHook is what receives a system's alarms.
type alarmHook struct {
	url string

	mu     sync.Mutex
	alarms []alarm.Alarm
}

func newAlarmHook(t *testing.T) *alarmHook {
	h := &alarmHook{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		defer h.mu.Unlock()
		var a alarm.Alarm
		if err := json.NewDecoder(r.Body).Decode(&a); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		h.alarms = append(h.alarms, a)
	}))
	t.Cleanup(server.Close)
	h.url = server.URL
	return h
}

// of returns the messages about a kind and date, as states.
func (h *alarmHook) of(kind alarm.Kind, date string) (states []alarm.State) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, a := range h.alarms {
		if a.Kind == kind && string(a.Date) == date {
			states = append(states, a.State)
		}
	}
	return states
}

// checkAlarms makes workers look for alarms: they do when they start, and then each minute. Two
// workers do so at once.
func (s *system) checkAlarms(what string, holds func() bool) {
	s.t.Helper()
	require.True(s.t, s.worker.stop())
	beside, err := launchProcess(s.data, append(slices.Clone(s.env), "PINFLOW_WORKER_ADDRESS=127.0.0.1:0"), "workers")
	require.NoError(s.t, err)
	second := s.owned(beside)
	s.worker = s.start("workers")
	s.eventually(what, holds)
	require.True(s.t, second.stop(), "a check that is under way ends before the worker does")
}

func TestAlarms(t *testing.T) {
	onShared.enter(t)
	hook := newAlarmHook(t)
	s := startTenant(t, "PINFLOW_ALARM_HOOK="+hook.url)

	t.Run("a_day_of_bad_records_ends_green_and_warns_once", func(t *testing.T) {
		topic := "/topics/" + s.setting("PINFLOW_USER_ID") + ".pin"
		code, answer := s.request(http.MethodPost, topic, "application/vnd.kafka.json.v2+json", []byte(`{"records":[{"value":{"no":"post"}},{"value":{"index":"?"}},{"value":"text"}]}`))
		require.Equal(t, http.StatusOK, code, answer)
		s.must("run", today(), "--wait")
		status := s.statusOf(today())
		require.Equal(t, run.Success, status.State)
		require.Equal(t, []string{"clean_pin: 3 of 3 records quarantined, 100.0 %, more than 50 %"}, status.Warnings)
		require.Contains(t, s.must("runs"), "success !")
		require.Contains(t, s.must("runs", "--warned"), today())
		require.Regexp(t, `\nclean_pin +success ! +1 .* 0\n`, s.must("status", today()), "it counted no rows")
		quarantine := s.must("quarantine", today(), "pin")
		require.Contains(t, quarantine, "3 records quarantined")
		require.Contains(t, quarantine, `{"no":"post"}`)
		s.checkAlarms("the hook gets the warning", func() bool { return len(hook.of(alarm.Warning, today())) > 0 })
	})

	t.Run("a_failed_run_raises_an_alarm_and_its_rerun_resolves_it", func(t *testing.T) {
		date := string(ago(1))
		s.breakNotebook("clean_geo", "-- Databricks notebook source\nSELECT * FROM nowhere")
		code, _, _ := s.starter("run", date, "--wait")
		require.Equal(t, 1, code)
		s.checkAlarms("the hook gets the failure", func() bool { return len(hook.of(alarm.Failed, date)) > 0 })
		s.must("notebooks", "push")
		s.must("rerun", date, "--failed", "--wait")
		s.checkAlarms("the hook is told that it is resolved", func() bool { return len(hook.of(alarm.Failed, date)) > 1 })
	})

	t.Run("a_deleted_schedule_still_raises_alarms", func(t *testing.T) {
		s.must("run", string(ago(3)), "--wait") // since then dates are expected
		s.must("schedule", "delete", "--yes")
		late := string(ago(2))
		s.checkAlarms("the hook gets the overdue date", func() bool { return len(hook.of(alarm.Overdue, late)) > 0 })
		_, stdout, _ := s.starter("doctor")
		require.Contains(t, stdout, late+" missed, overdue (there is no Schedule")
		require.Contains(t, stdout, "starter schedule apply")
		s.must("run", late, "--wait")
		s.checkAlarms("the hook is told that it has run", func() bool { return len(hook.of(alarm.Overdue, late)) > 1 })
	})

	both := []alarm.State{alarm.Raised, alarm.Resolved}
	require.Equal(t, []alarm.State{alarm.Raised}, hook.of(alarm.Warning, today()), "once, over all the workers")
	require.Equal(t, both, hook.of(alarm.Failed, string(ago(1))))
	require.Equal(t, both, hook.of(alarm.Overdue, string(ago(2))))
	require.Contains(t, hook.alarms[0].UI, strings.TrimSuffix(s.setting("PINFLOW_TEMPORAL_UI_URL"), "/"))
	require.Equal(t, string(s.deployment()), hook.alarms[0].Deployment)
}
