package history

import (
	"context"
	"slices"
	"time"

	"github.com/pinflow/pinflow/internal/clients/s3"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/internal/tasklog"
)

// LogFilter selects the logs of a date's latest run.
type LogFilter struct {
	Date dates.Date
	// Task and Try select all if they are not set.
	Task string
	Try  int
	// Follow reads the same run repeatedly, each line once.
	Follow bool
}

// LogReader reads the lines that workers logged for a run.
type LogReader struct {
	Options LogFilter

	dag   string
	logs  tasklog.Reader
	sizes map[string]int64 // of the objects when they were read
	seen  map[string]bool  // key and line, of a run that is followed
}

// Logs returns a reader of the lines that the filter selects.
func (r *Reader) Logs(ctx context.Context, o LogFilter) (*LogReader, error) {
	objects, err := r.bucket(ctx)
	if err != nil {
		return nil, s3.Classify(err)
	}
	return &LogReader{Options: o, dag: r.DAG.Name, logs: tasklog.Reader{Objects: objects}, sizes: map[string]int64{}, seen: map[string]bool{}}, nil
}

// Fresh returns the lines that were not returned before, by time.
func (r *LogReader) Fresh(ctx context.Context, latest Run) ([]tasklog.Line, error) {
	listed, err := r.logs.List(ctx, r.dag, r.Options.Date)
	if err != nil {
		return nil, s3.Classify(err)
	}
	listed = slices.DeleteFunc(listed, func(l tasklog.Object) bool {
		size, read := r.sizes[l.Key()]
		return read && size == l.Size || !r.Options.wants(latest, l.Name)
	})
	lines, err := r.logs.Lines(ctx, listed)
	if err != nil {
		return nil, s3.Classify(err)
	}
	lines = slices.DeleteFunc(lines, func(l tasklog.Line) bool {
		return l.Log.RunID != latest.RunID && l.Time.Before(firstStart(latest.Task(l.Log.Task)).Add(-maxClockSkew))
	})
	for _, l := range listed {
		r.sizes[l.Key()] = l.Size
	}
	if !r.Options.Follow {
		return lines, nil
	}
	return slices.DeleteFunc(lines, func(l tasklog.Line) bool { // an object is written as a whole each time
		line := l.Log.Key() + string(l.Raw)
		known := r.seen[line]
		r.seen[line] = true
		return known
	}), nil
}

// wants reports whether the filter selects a log: one of the latest run, or of an earlier run whose
// results the latest run keeps.
func (o LogFilter) wants(latest Run, l tasklog.Name) bool {
	if o.Task != "" && l.Task != o.Task || o.Try != 0 && l.Try != o.Try {
		return false
	}
	return l.RunID == latest.RunID || hasEarlier(latest, latest.Task(l.Task))
}

// hasEarlier reports whether an earlier run of the date contributed to the state of the task.
func hasEarlier(r Run, task run.Task) bool {
	return task.Carried || slices.ContainsFunc(task.History, func(t run.Try) bool { return t.Ended.Before(r.Started) })
}

// maxClockSkew is how much the clock of a worker may differ from Temporal's.
const maxClockSkew = time.Second

// firstStart returns the start of the first try in the history of a task. Older runs of the date
// are not part of it.
func firstStart(task run.Task) time.Time {
	first := task.Started
	for _, try := range task.History {
		if try.Started.Before(first) {
			first = try.Started
		}
	}
	return first
}
