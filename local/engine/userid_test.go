package engine_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/local/reference"
	"github.com/pinflow/pinflow/notebooks"
)

// TestUserID holds that a schema has one user id: a run replaces whole dates, so that the dates of
// another one would be lost.
func TestUserID(t *testing.T) {
	t.Parallel()
	const date = "2022-10-18"
	s := store{}
	lines := reference.Generate(100, 40)
	var records []reference.Record
	for _, kind := range []string{"pin", "geo", "user"} {
		for i, line := range lines[kind] {
			records = append(records, reference.Record{Kind: kind, Date: date, Offset: int64(i), Timestamp: int64(i), Value: []byte(line)})
		}
	}
	s.land(t, records, "0000000000")
	for key, content := range s {
		s[strings.ReplaceAll(key, user, "u2")] = []byte(strings.ReplaceAll(string(content), `"`+user+".", `"u2.`))
	}
	e := open(t, s)
	runDate(t.Context(), t, e, date, "quarantine")
	before := read(t.Context(), t, e)
	require.NotZero(t, before.Rows["pin"])

	for _, n := range notebooks.All() {
		if n.Name == "query" {
			continue
		}
		_, err := e.RunNotebook(t.Context(), n.Source, map[string]string{
			"schema": "pins", "raw_path": "s3://b", "user_id": "u2", "posts_topic": postsTopic, "logical_dates": date, "run_id": "r", "notebook_hash": "h", "invalid_followers": "null",
		})
		if n.Name == "load" {
			require.NoError(t, err, "rows are only added, each with its topic")
			continue
		}
		kind := strings.TrimPrefix(n.Name, "clean_")
		require.ErrorContains(t, err, "schema holds one user id, and "+kind+"_by_date has records of u1."+kind+": set PINFLOW_SCHEMA", n.Name)
	}
	requireSame(t, before, read(t.Context(), t, e))
	runDate(t.Context(), t, e, date, "quarantine")
	requireSame(t, before, read(t.Context(), t, e))
}
