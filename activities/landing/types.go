package landing

import (
	"time"

	"github.com/pinflow/pinflow/internal/dates"
)

// Offsets counts the offsets that are left to land. Not every offset has a record.
func (p Plan) Offsets() int64 { return offsets(p.Ranges) }

// PlanInput selects what to plan.
type PlanInput struct {
	// Topic is the kind of record, such as pin; the plan has the full name of the topic.
	Topic string     `json:"topic"`
	Date  dates.Date `json:"date"`
}

// Range is the offsets [Start, End) of one partition. Start equals End if there is nothing to land.
type Range struct {
	Partition int   `json:"partition"`
	Start     int64 `json:"start"`
	End       int64 `json:"end"`
}

// Empty reports whether there is nothing to land.
func (r Range) Empty() bool { return r.Start >= r.End }

func offsets(ranges []Range) (sum int64) {
	for _, r := range ranges {
		sum += r.End - r.Start
	}
	return sum
}

// Plan is what is left to land of a topic for a date: a range for each partition.
type Plan struct {
	Topic  string     `json:"topic"`
	Date   dates.Date `json:"date"`
	Ranges []Range    `json:"ranges"`
	// Groups are the ranges that are not empty, as activities land them: small ones together, so
	// that a topic of many small partitions is one activity.
	Groups [][]Range `json:"groups,omitempty"`
	// Partial reports whether the date was not over at Until, where the ranges end. A later plan
	// continues there.
	Partial bool      `json:"partial"`
	Until   time.Time `json:"until"`
}

// PartitionsInput selects the ranges to land, each of another partition.
type PartitionsInput struct {
	Topic  string     `json:"topic"`
	Date   dates.Date `json:"date"`
	Ranges []Range    `json:"ranges"`
}

// Offsets counts the offsets of the ranges. Not every offset has a record.
func (in PartitionsInput) Offsets() int64 { return offsets(in.Ranges) }

// PartitionsSummary counts what the objects of the ranges hold. Bytes is the size of the objects.
type PartitionsSummary struct {
	Objects int   `json:"objects"`
	Records int64 `json:"records"`
	Bytes   int64 `json:"bytes"`
}

// ManifestInput holds the plan, all of whose ranges have landed.
type ManifestInput struct {
	Plan Plan `json:"plan"`
}

// ManifestSummary has the address of the manifest and what the objects of the date hold in all.
type ManifestSummary struct {
	URI     string `json:"uri"`
	Objects int    `json:"objects"`
	Records int64  `json:"records"`
	Bytes   int64  `json:"bytes"`
}
