package activities

import (
	"fmt"

	"github.com/pinflow/pinflow/activities/landing"
	"github.com/pinflow/pinflow/internal/run"
)

// LogFields returns the keys and values that identify an activity's input or result in log lines;
// none for other types. Parameters of notebooks and texts of errors are left out.
func LogFields(value any) []any {
	switch v := value.(type) {
	case landing.PlanInput:
		return []any{"topic", v.Topic}
	case landing.PartitionsInput:
		return []any{"topic", v.Topic, "ranges", describeRanges(v.Ranges)}
	case landing.ManifestInput:
		return []any{"topic", v.Plan.Topic}
	case StartNotebookInput:
		fields := []any{"notebook", v.Notebook}
		if len(v.Others) > 0 {
			fields = append(fields, "logical_dates", joinDates(v.Dates()))
		}
		return fields
	case WaitNotebookInput:
		return []any{"run", v.Run.RunID}
	case run.Request:
		return []any{"pool", v.Pool}
	case landing.Plan:
		return []any{"offsets", v.Offsets(), "partitions", len(v.Ranges), "partial", v.Partial}
	case landing.PartitionsSummary:
		return []any{"records", v.Records, "objects", v.Objects, "bytes", v.Bytes}
	case landing.ManifestSummary:
		return []any{"records", v.Records, "objects", v.Objects, "bytes", v.Bytes}
	case NotebookRun:
		return []any{"run", v.RunID, "link", v.Link}
	case RowCounts:
		sum := DateCounts{}
		for _, date := range v.Dates {
			sum.Rows += date.Rows
			sum.Records += date.Records
			sum.Quarantined += date.Quarantined
		}
		return []any{"rows", sum.Rows, "records", sum.Records, "quarantined", sum.Quarantined}
	}
	return nil
}

// describeRanges returns the ranges as partition:start..end.
func describeRanges(ranges []landing.Range) []string {
	described := make([]string, len(ranges))
	for i, r := range ranges {
		described[i] = fmt.Sprintf("%d:%d..%d", r.Partition, r.Start, r.End)
	}
	return described
}
