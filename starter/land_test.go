package main

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/activities/landing"
	"github.com/pinflow/pinflow/starter/exit"
)

// losing is a world in which Kafka has lost records of one topic, and another one is not the one that has
// landed.
func losing(t *testing.T) (*world, *fakeRecords) {
	w, records := newWorld(), &fakeRecords{}
	w.records = records
	at := time.Date(2022, 10, 18, 1, 0, 0, 0, time.UTC)
	records.topics = map[string]*fakeLog{
		"pinflow.pin": {first: 4, end: 10, at: at}, "pinflow.geo": {end: 15, at: at}, "pinflow.user": {end: 3, at: at}, "Pinterest_data": {},
	}
	w.put(t, "boundaries/pinflow.pin/2022-10-17.json", map[string]int64{"0": 0})
	w.put(t, "boundaries/pinflow.geo/2022-10-17.json", map[string]int64{"0": 20})
	w.put(t, "boundaries/pinflow.user/2022-10-17.json", map[string]int64{"0": 1})
	return w, records
}

func TestLand(t *testing.T) {
	t.Parallel()
	t.Run("shows_what_is_left_and_lost_and_changes_nothing", func(t *testing.T) {
		t.Parallel()
		w, records := losing(t)
		before := w.bucket.Keys("")
		code, stdout, stderr := w.line(t, "land 2022-10-18 --dry-run")
		require.Equal(t, exit.Failed, code, stderr)
		golden(t, "land", stdout)
		require.Equal(t, before, w.bucket.Keys(""))
		require.Equal(t, 1, records.closed)

		code, stdout, _ = w.line(t, "land 2022-10-18 --dry-run -o json")
		require.Equal(t, exit.Failed, code)
		var previews []landing.Preview
		require.NoError(t, json.Unmarshal([]byte(stdout), &previews))
		require.EqualValues(t, 4, previews[0].Lost)
		require.EqualValues(t, 2, previews[2].Left)
	})

	t.Run("succeeds_where_nothing_is_lost", func(t *testing.T) {
		t.Parallel()
		w, records := losing(t)
		records.topics["pinflow.pin"].first = 0
		w.put(t, "boundaries/pinflow.geo/2022-10-17.json", map[string]int64{"0": 15})
		code, stdout, stderr := w.line(t, "land 2022-10-18 --dry-run")
		require.Zero(t, code, stdout+stderr)
	})

	t.Run("doctor_says_what_is_lost", func(t *testing.T) {
		t.Parallel()
		w := ready(t)
		_, w.records = losing(t)
		w.put(t, "boundaries/pinflow.pin/2022-10-17.json", map[string]int64{"0": 0})
		w.put(t, "boundaries/pinflow.geo/2022-10-17.json", map[string]int64{"0": 20})
		code, stdout, _ := w.line(t, "doctor")
		require.Equal(t, exit.Failed, code)
		require.Contains(t, stdout, "Kafka has lost 4 offsets of pinflow.pin before they landed, on 2022-10-18")
		require.Contains(t, stdout, "starter run 2022-10-18")
		require.Contains(t, stdout, "pinflow.geo of 2022-10-18 does not land: the log of pinflow.geo is not the one that has landed: partition 0 ends at offset 15 but has had offset 19")
	})
}
