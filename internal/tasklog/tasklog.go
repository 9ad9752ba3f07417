// Package tasklog reads the logs that workers write to the bucket while they work for tasks.
package tasklog

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

	"github.com/pinflow/pinflow/internal/bucket"
	"github.com/pinflow/pinflow/internal/dates"
)

func prefix(dag string, date dates.Date) string {
	return "logs/" + dag + "/" + string(date) + "/"
}

// Name identifies the log of one attempt of one activity that worked for a try of a task. Each
// attempt has an object of its own: S3 cannot append, and two attempts must never write to the same
// object.
type Name struct {
	DAG  string
	Date dates.Date
	// RunID is the run id of the workflow. Task and Try are those of the DAG's task.
	RunID string
	Task  string
	Try   int
	// Activity is the type of the activity, ActivityID its id in the workflow. Attempt counts from
	// 1.
	Activity   string
	ActivityID string
	Attempt    int
}

// extension ends the names of logs, which hold one JSON object a line.
const extension = ".jsonl"

// Key returns the key of the log's object: logs/<dag>/<date>/<run
// id>/<task>/try-<n>/<activity>….jsonl.
func (l Name) Key() string {
	return fmt.Sprintf("%s%s/%s/try-%d/%s-%s-%d%s", prefix(l.DAG, l.Date), keyPart(l.RunID), keyPart(l.Task), l.Try,
		keyPart(l.Activity), keyPart(l.ActivityID), l.Attempt, extension)
}

// keyPart keeps a name from adding a level to the key.
func keyPart(name string) string { return strings.ReplaceAll(name, "/", "_") }

// parseKey parses the key of a log. ok is false for keys that Key does not return.
func parseKey(dag string, date dates.Date, key string) (l Name, ok bool) {
	parts := strings.Split(strings.TrimPrefix(key, prefix(dag, date)), "/")
	if len(parts) != 4 {
		return Name{}, false
	}
	name := strings.TrimSuffix(parts[3], extension)
	last := strings.LastIndexByte(name, '-')
	if last < 0 {
		return Name{}, false
	}
	activity, id, found := strings.Cut(name[:last], "-") // types of activities have no hyphen
	attempt, attemptErr := strconv.Atoi(name[last+1:])
	try, tryErr := strconv.Atoi(strings.TrimPrefix(parts[2], "try-"))
	l = Name{DAG: dag, Date: date, RunID: parts[0], Task: parts[1], Try: try, Activity: activity, ActivityID: id, Attempt: attempt}
	return l, found && attemptErr == nil && tryErr == nil && l.Key() == key
}

// Reader reads the logs in the bucket.
type Reader struct {
	Objects bucket.Objects
}

// Object is a log in the bucket.
type Object struct {
	Name
	Size int64 // bytes
}

// List returns the logs of a date: all runs, tasks and tries, in the order of their keys.
func (t *Reader) List(ctx context.Context, dag string, date dates.Date) ([]Object, error) {
	listed, err := t.Objects.List(ctx, bucket.ListInput{Prefix: prefix(dag, date)})
	if err != nil {
		return nil, fmt.Errorf("list the logs of %s: %w", date, err)
	}
	var logs []Object
	for _, object := range listed {
		if l, ok := parseKey(dag, date, object.Key); ok {
			logs = append(logs, Object{l, object.Size})
		}
	}
	return logs, nil
}

// Line is one line of a log: its time, and the JSON object as the worker wrote it.
type Line struct {
	Log  Name
	Time time.Time
	Raw  json.RawMessage
}

// Lines returns the lines of logs, merged by time. Lines of the same time keep their order. A line
// that is not a JSON object is left out: only a broken write leaves one.
func (t *Reader) Lines(ctx context.Context, logs []Object) ([]Line, error) {
	parts := make([][]Line, len(logs))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(bucket.ParallelRequests)
	for i, l := range logs {
		group.Go(func() error {
			body, err := t.Objects.Get(ctx, l.Key())
			if errors.Is(err, bucket.ErrNotFound) { // deleted since it was listed
				return nil
			}
			if err != nil {
				return fmt.Errorf("read log %s: %w", l.Key(), err)
			}
			parts[i] = linesOf(l.Name, body)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	lines := slices.Concat(parts...)
	slices.SortStableFunc(lines, func(a, b Line) int { return a.Time.Compare(b.Time) })
	return lines, nil
}

func linesOf(l Name, body []byte) []Line {
	var lines []Line
	for raw := range bytes.Lines(body) {
		var head struct {
			Time time.Time `json:"time"`
		}
		if json.Unmarshal(raw, &head) == nil {
			lines = append(lines, Line{l, head.Time, bytes.TrimRight(raw, "\n")})
		}
	}
	return lines
}
