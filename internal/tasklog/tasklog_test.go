package tasklog

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/bucket"
	"github.com/pinflow/pinflow/internal/bucket/buckettest"
)

// newReader returns a reader of a bucket that holds these logs, by key.
func newReader(t *testing.T, logs map[string]string) (*Reader, *buckettest.Memory) {
	t.Helper()
	objects := buckettest.New()
	for key, body := range logs {
		require.NoError(t, objects.Put(t.Context(), bucket.PutInput{Key: key, Body: []byte(body)}))
	}
	return &Reader{Objects: objects}, objects
}

var waitLog = Name{
	DAG: "pinterest-daily", Date: "2022-10-18", RunID: "0199-ab", Task: "clean_pin", Try: 2, Activity: "WaitNotebook", ActivityID: "23", Attempt: 3,
}

func TestName(t *testing.T) {
	t.Run("key_identifies_the_attempt", func(t *testing.T) {
		require.Equal(t, "logs/pinterest-daily/2022-10-18/0199-ab/clean_pin/try-2/WaitNotebook-23-3.jsonl", waitLog.Key())
		read, ok := parseKey("pinterest-daily", "2022-10-18", waitLog.Key())
		require.True(t, ok)
		require.Equal(t, waitLog, read)

		local := waitLog
		local.ActivityID = "a-b"
		read, ok = parseKey("pinterest-daily", "2022-10-18", local.Key())
		require.True(t, ok)
		require.Equal(t, local, read)

		for _, key := range []string{
			"logs/pinterest-daily/2022-10-18/", "logs/pinterest-daily/2022-10-18/0199/clean_pin/try-2/WaitNotebook.jsonl",
			"logs/pinterest-daily/2022-10-18/0199/clean_pin/try-x/WaitNotebook-1-1.jsonl", "logs/pinterest-daily/2022-10-18/0199/clean_pin/try-1/WaitNotebook-1-1.txt",
			"logs/pinterest-daily/2022-10-18/0199/deeper/clean_pin/try-1/WaitNotebook-1-1.jsonl",
		} {
			_, ok := parseKey("pinterest-daily", "2022-10-18", key)
			require.False(t, ok, key)
		}
	})
}

func TestReader(t *testing.T) {
	t.Run("merges_lines_by_time", func(t *testing.T) {
		start := waitLog
		start.Activity, start.ActivityID, start.Attempt = "StartNotebook", "17", 1
		logs, objects := newReader(t, map[string]string{
			start.Key():   "{\"time\":\"2022-10-19T00:00:01Z\",\"msg\":\"a\"}\n{\"time\":\"2022-10-19T00:00:04Z\",\"msg\":\"d\"}\n",
			waitLog.Key(): "{\"time\":\"2022-10-19T00:00:02Z\",\"msg\":\"b\"}\n{\"time\":\"2022-10-19T00:00:02Z\",\"msg\":\"c\"}\nbroken\n",
			"logs/pinterest-daily/2022-10-17/r/load/try-1/LandPartitions-5-1.jsonl": "{}\n",
			"logs/pinterest-daily/2022-10-18/notes.txt":                             "not a log",
		})
		listed, err := logs.List(t.Context(), "pinterest-daily", "2022-10-18")
		require.NoError(t, err)
		require.Len(t, listed, 2, "the logs of that date")
		require.EqualValues(t, len(objects.Body(start.Key())), listed[0].Size)
		lines, err := logs.Lines(t.Context(), listed)
		require.NoError(t, err)
		require.Equal(t, []string{"a", "b", "c", "d"}, messages(t, lines))
		require.Equal(t, waitLog, lines[1].Log)

		objects.Delete(waitLog.Key())
		lines, err = logs.Lines(t.Context(), listed)
		require.NoError(t, err, "a log that was deleted since it was listed is no error")
		require.Equal(t, []string{"a", "d"}, messages(t, lines))
	})

	t.Run("reports_errors_of_the_bucket", func(t *testing.T) {
		logs, objects := newReader(t, map[string]string{waitLog.Key(): ""})
		listed, err := logs.List(t.Context(), "pinterest-daily", "2022-10-18")
		require.NoError(t, err)
		objects.FailBefore(func(string, string) error { return errors.New("503 SlowDown") })
		_, err = logs.Lines(t.Context(), listed)
		require.ErrorContains(t, err, "503 SlowDown")
		_, err = logs.List(t.Context(), "pinterest-daily", "2022-10-18")
		require.ErrorContains(t, err, "503 SlowDown")
	})
}

func messages(t *testing.T, lines []Line) []string {
	t.Helper()
	all := make([]string, len(lines))
	for i, line := range lines {
		var fields struct {
			Msg string `json:"msg"`
		}
		require.NoError(t, json.Unmarshal(line.Raw, &fields))
		all[i] = fields.Msg
	}
	return all
}
