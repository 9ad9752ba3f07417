package activities

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/pinflow/pinflow/internal/dates"
)

// TaskLog names what a worker logged in one attempt of one activity, which worked for a try of a task. It is an object of its own:
// S3 cannot append, and two attempts never write to one.
type TaskLog struct {
	DAG  string
	Date dates.Date
	// RunID is the run id of the workflow, Task and Try are those of the DAG's task.
	RunID string
	Task  string
	Try   int
	// Activity is the activity's type, ActivityID its id in the workflow, Attempt counts from 1.
	Activity   string
	ActivityID string
	Attempt    int
}

// taskLogEnd ends the names of logs: one JSON object a line.
const taskLogEnd = ".jsonl"

// Key is the name of the log's object.
func (l TaskLog) Key() string {
	return fmt.Sprintf("%s%s/%s/try-%d/%s-%s-%d%s", taskLogPrefix(l.DAG, l.Date), keyPart(l.RunID), keyPart(l.Task), l.Try,
		keyPart(l.Activity), keyPart(l.ActivityID), l.Attempt, taskLogEnd)
}

// keyPart keeps a name from opening a folder of its own.
func keyPart(name string) string { return strings.ReplaceAll(name, "/", "_") }

// parseTaskLogKey reads a log's key. It is false for keys that Key does not write.
func parseTaskLogKey(dag string, date dates.Date, key string) (l TaskLog, ok bool) {
	parts := strings.Split(strings.TrimPrefix(key, taskLogPrefix(dag, date)), "/")
	if len(parts) != 4 {
		return TaskLog{}, false
	}
	name := strings.TrimSuffix(parts[3], taskLogEnd)
	last := strings.LastIndexByte(name, '-')
	if last < 0 {
		return TaskLog{}, false
	}
	activity, id, found := strings.Cut(name[:last], "-") // types of activities have no hyphen
	attempt, attemptErr := strconv.Atoi(name[last+1:])
	try, tryErr := strconv.Atoi(strings.TrimPrefix(parts[2], "try-"))
	l = TaskLog{DAG: dag, Date: date, RunID: parts[0], Task: parts[1], Try: try, Activity: activity, ActivityID: id, Attempt: attempt}
	return l, found && attemptErr == nil && tryErr == nil && l.Key() == key
}

// TaskLogs reads the logs that workers have left in the bucket.
type TaskLogs struct {
	Objects Objects
}

// TaskLogObject is a log that is there.
type TaskLogObject struct {
	TaskLog
	Size int64 // bytes
}

// List returns the logs of a date: all runs, tasks and tries, in the order of their keys.
func (t *TaskLogs) List(ctx context.Context, dag string, date dates.Date) ([]TaskLogObject, error) {
	listed, err := t.Objects.List(ctx, ListObjects{Prefix: taskLogPrefix(dag, date)})
	if err != nil {
		return nil, classifyS3(ctx, "list the logs of "+string(date), err)
	}
	var logs []TaskLogObject
	for _, object := range listed {
		if l, ok := parseTaskLogKey(dag, date, object.Key); ok {
			logs = append(logs, TaskLogObject{l, object.Size})
		}
	}
	return logs, nil
}

// TaskLogLine is one line of a log: its time, and the JSON object as the worker wrote it.
type TaskLogLine struct {
	Log  TaskLog
	Time time.Time
	Raw  json.RawMessage
}

// Lines returns the lines of logs, merged by their times. Lines of the same time keep their order. A line that is no JSON object is
// left out: nothing but a broken write makes one.
func (t *TaskLogs) Lines(ctx context.Context, logs []TaskLogObject) ([]TaskLogLine, error) {
	parts := make([][]TaskLogLine, len(logs))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallelRequests)
	for i, l := range logs {
		group.Go(func() error {
			body, err := t.Objects.Get(ctx, l.Key())
			if errors.Is(err, ErrNoObject) { // deleted since it was listed
				return nil
			}
			parts[i] = taskLogLines(l.TaskLog, body)
			return classifyS3(ctx, "read log "+l.Key(), err)
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	lines := slices.Concat(parts...)
	slices.SortStableFunc(lines, func(a, b TaskLogLine) int { return a.Time.Compare(b.Time) })
	return lines, nil
}

func taskLogLines(l TaskLog, body []byte) []TaskLogLine {
	var lines []TaskLogLine
	for raw := range bytes.Lines(body) {
		var head struct {
			Time time.Time `json:"time"`
		}
		if json.Unmarshal(raw, &head) == nil {
			lines = append(lines, TaskLogLine{l, head.Time, bytes.TrimRight(raw, "\n")})
		}
	}
	return lines
}
