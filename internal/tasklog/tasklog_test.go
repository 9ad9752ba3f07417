package tasklog

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/bucket"
	"github.com/pinflow/pinflow/internal/dates"
)

// logObjects is a bucket that holds logs.
type logObjects struct {
	bucket.Objects
	bodies map[string]string
	fault  error
}

func (o *logObjects) List(_ context.Context, list bucket.ListInput) (found []bucket.Object, _ error) {
	for key, body := range o.bodies {
		if strings.HasPrefix(key, list.Prefix) {
			found = append(found, bucket.Object{Key: key, Size: int64(len(body))})
		}
	}
	return found, nil
}

func (o *logObjects) Get(_ context.Context, key string) ([]byte, error) {
	body, ok := o.bodies[key]
	if !ok {
		return nil, errors.Join(o.fault, bucket.ErrNotFound)
	}
	return []byte(body), o.fault
}

var waitLog = Name{
	DAG: "pinterest-daily", Date: "2022-10-18", RunID: "0199-ab", Task: "clean_pin", Try: 2, Activity: "WaitNotebook", ActivityID: "23", Attempt: 3,
}

func TestTaskLog_KeyNamesTheAttemptAndIsReadBack(t *testing.T) {
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
}

func TestTaskLogs_MergeLinesByTime(t *testing.T) {
	start := waitLog
	start.Activity, start.ActivityID, start.Attempt = "StartNotebook", "17", 1
	objects := &logObjects{bodies: map[string]string{
		start.Key():   "{\"time\":\"2022-10-19T00:00:01Z\",\"msg\":\"a\"}\n{\"time\":\"2022-10-19T00:00:04Z\",\"msg\":\"d\"}\n",
		waitLog.Key(): "{\"time\":\"2022-10-19T00:00:02Z\",\"msg\":\"b\"}\n{\"time\":\"2022-10-19T00:00:02Z\",\"msg\":\"c\"}\nbroken\n",
		"logs/pinterest-daily/2022-10-17/r/load/try-1/LandPartition-5-1.jsonl": "{}\n",
	}}
	logs := Reader{Objects: objects}
	listed, err := logs.List(t.Context(), "pinterest-daily", dates.Date("2022-10-18"))
	require.NoError(t, err)
	require.Len(t, listed, 2, "the logs of that date")
	lines, err := logs.Lines(t.Context(), listed)
	require.NoError(t, err)
	var said []string
	for _, line := range lines {
		said = append(said, string(line.Raw[len(`{"time":"2022-10-19T00:00:01Z","msg":"`)]))
	}
	require.Equal(t, []string{"a", "b", "c", "d"}, said)
	require.Equal(t, waitLog, lines[1].Log)

	delete(objects.bodies, waitLog.Key())
	lines, err = logs.Lines(t.Context(), listed)
	require.NoError(t, err, "an object that has gone since is no error")
	require.Len(t, lines, 2)
}

func TestTaskLogs_TellAFaultOfTheBucket(t *testing.T) {
	logs := Reader{Objects: &logObjects{bodies: map[string]string{waitLog.Key(): ""}, fault: errors.New("refused")}}
	listed, err := logs.List(t.Context(), "pinterest-daily", "2022-10-18")
	require.NoError(t, err)
	_, err = logs.Lines(t.Context(), listed)
	require.ErrorContains(t, err, "refused")
}
