package activities

import "fmt"

// LogFields are the few facts of an activity's input or result that its log lines are read with, as keys and values in turn. Parameters of
// notebooks and texts of errors are none of them. A value of another type has none.
func LogFields(value any) []any {
	switch v := value.(type) {
	case PlanLandingInput:
		return []any{"topic", v.Topic}
	case LandPartitionInput:
		return []any{"topic", v.Topic, "partition", v.Range.Partition, "offsets", fmt.Sprintf("%d..%d", v.Range.Start, v.Range.End)}
	case WriteManifestInput:
		return []any{"topic", v.Plan.Topic}
	case StartNotebookInput:
		return []any{"notebook", v.Notebook}
	case WaitNotebookInput:
		return []any{"run", v.Run.RunID}
	case SlotMessage:
		return []any{"pool", v.Slot.Pool}
	case AnnounceInput:
		return []any{"pools", len(v.Messages)}
	case LandingPlan:
		return []any{"offsets", v.offsets(), "partitions", len(v.Ranges), "partial", v.Partial}
	case LandedPartition:
		return []any{"records", v.Records, "objects", v.Objects, "bytes", v.Bytes}
	case ManifestSummary:
		return []any{"records", v.Records, "objects", v.Objects, "bytes", v.Bytes}
	case NotebookRun:
		return []any{"run", v.RunID, "link", v.Link}
	case RowCounts:
		return []any{"rows", v.Rows, "records", v.Records, "quarantined", v.Quarantined}
	}
	return nil
}

// offsets counts the offsets that are left to land: records, and what a topic has beside them.
func (p LandingPlan) offsets() int64 {
	sum := int64(0)
	for _, r := range p.Ranges {
		sum += r.End - r.Start
	}
	return sum
}
