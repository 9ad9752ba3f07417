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
	case landing.PartitionInput:
		return []any{"topic", v.Topic, "partition", v.Range.Partition, "offsets", fmt.Sprintf("%d..%d", v.Range.Start, v.Range.End)}
	case landing.ManifestInput:
		return []any{"topic", v.Plan.Topic}
	case StartNotebookInput:
		return []any{"notebook", v.Notebook}
	case WaitNotebookInput:
		return []any{"run", v.Run.RunID}
	case run.Request:
		return []any{"pool", v.Pool}
	case landing.Plan:
		return []any{"offsets", v.Offsets(), "partitions", len(v.Ranges), "partial", v.Partial}
	case landing.PartitionSummary:
		return []any{"records", v.Records, "objects", v.Objects, "bytes", v.Bytes}
	case landing.ManifestSummary:
		return []any{"records", v.Records, "objects", v.Objects, "bytes", v.Bytes}
	case NotebookRun:
		return []any{"run", v.RunID, "link", v.Link}
	case RowCounts:
		return []any{"rows", v.Rows, "records", v.Records, "quarantined", v.Quarantined}
	}
	return nil
}
