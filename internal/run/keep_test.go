package run

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestKeep(t *testing.T) {
	latest := Status{Params: map[string]string{"invalid_followers": "null", "schema": "main"}, Tags: []string{"repair", "late"}, Hold: true, RunTimeout: time.Hour}

	t.Run("keeps_what_the_date_ran_with", func(t *testing.T) {
		in := Input{Date: "2022-10-18", RerunTasks: []string{"query"}}.Keep(latest)
		require.Equal(t, Input{
			Date: "2022-10-18", RerunTasks: []string{"query"}, Params: latest.Params, Tags: latest.Tags, Hold: true, RunTimeout: time.Hour,
		}, in)
		require.Equal(t, []Difference{
			{Setting: "params", Name: "invalid_followers", Value: "null", How: Kept}, {Setting: "params", Name: "schema", Value: "main", How: Kept},
			{Setting: "tags", Value: "late", How: Kept}, {Setting: "tags", Value: "repair", How: Kept},
			{Setting: "hold", Value: "on", How: Kept}, {Setting: "run timeout", Value: "1h0m0s", How: Kept},
		}, in.Differences(latest))
	})

	t.Run("flags_change_it", func(t *testing.T) {
		in := Input{
			Params: map[string]string{"invalid_followers": "quarantine", "user_id": "u"}, Tags: []string{"again"}, RunTimeout: time.Minute,
			Drop: Drop{Params: []string{"schema"}, Tags: []string{"late"}, Hold: true},
		}
		kept := in.Keep(latest)
		require.Equal(t, map[string]string{"invalid_followers": "quarantine", "user_id": "u"}, kept.Params)
		require.Equal(t, []string{"repair", "again"}, kept.Tags)
		require.False(t, kept.Hold)
		require.Equal(t, time.Minute, kept.RunTimeout)
		require.Equal(t, []Difference{
			{Setting: "params", Name: "invalid_followers", Value: "quarantine", Was: "null", How: Changed}, {Setting: "params", Name: "schema", Value: "main", How: Dropped},
			{Setting: "params", Name: "user_id", Value: "u", How: Added},
			{Setting: "tags", Value: "again", How: Added}, {Setting: "tags", Value: "late", How: Dropped}, {Setting: "tags", Value: "repair", How: Kept},
			{Setting: "hold", Value: "on", How: Dropped}, {Setting: "run timeout", Value: "1m0s", Was: "1h0m0s", How: Changed},
		}, in.Differences(latest))
		require.Zero(t, Input{Drop: Drop{RunTimeout: true}}.Keep(latest).RunTimeout)
		require.Equal(t, map[string]string{"invalid_followers": "null", "schema": "main"}, latest.Params, "the latest run is left alone")
	})
}
