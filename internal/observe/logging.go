package observe

import (
	"fmt"
	"io"
	"log/slog"
)

// logNames maps the log fields of the Temporal SDK to Pinflow's, so that one query finds the lines
// of both.
var logNames = map[string]string{
	"Namespace":    "namespace",
	"TaskQueue":    "task_queue",
	"WorkerID":     "worker_id",
	"WorkerType":   "worker_type",
	"WorkflowType": "workflow",
	"WorkflowID":   "workflow_id",
	"RunID":        "run_id",
	"ActivityType": "activity",
	"ActivityID":   "activity_id",
	"Attempt":      "attempt",
	"Error":        "error",
}

// NewLogger returns a logger that writes JSON lines. The level is debug, info, warn or error.
func NewLogger(w io.Writer, level string) (*slog.Logger, error) {
	var least slog.Level
	if err := least.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("PINFLOW_LOG_LEVEL=%q: want debug, info, warn or error", level)
	}
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{
		Level: least,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if name, ok := logNames[a.Key]; ok {
				a.Key = name
			}
			return a
		},
	})), nil
}
