package landing

import (
	"time"

	"github.com/pinflow/pinflow/internal/dates"
)

// offsets counts the offsets that are left to land: records, and what a topic has beside them.
func (p Plan) Offsets() int64 {
	sum := int64(0)
	for _, r := range p.Ranges {
		sum += r.End - r.Start
	}
	return sum
}

// PlanInput asks which offsets of a topic belong to a logical date.
type PlanInput struct {
	Topic string     `json:"topic"`
	Date  dates.Date `json:"date"`
}

// Range is the offsets [Start, End) of one partition. Start equals End if there is nothing to land.
type Range struct {
	Partition int   `json:"partition"`
	Start     int64 `json:"start"`
	End       int64 `json:"end"`
}

// Empty says that there is nothing to land.
func (r Range) Empty() bool { return r.Start >= r.End }

// Plan is what is left to land of a topic for a logical date: a range for each partition.
type Plan struct {
	Topic  string     `json:"topic"`
	Date   dates.Date `json:"date"`
	Ranges []Range    `json:"ranges"`
	// Partial says that the date is not over: the ranges end at what was there at Until, and a later plan goes on from there.
	Partial bool      `json:"partial"`
	Until   time.Time `json:"until"`
}

// PartitionInput asks for one partition's range of a date to be landed.
type PartitionInput struct {
	Topic string     `json:"topic"`
	Date  dates.Date `json:"date"`
	Range Range      `json:"range"`
}

// PartitionSummary counts what one partition's landing wrote or found written. Bytes are of the objects.
type PartitionSummary struct {
	Partition int   `json:"partition"`
	Objects   int   `json:"objects"`
	Records   int64 `json:"records"`
	Bytes     int64 `json:"bytes"`
}

// ManifestInput asks for the manifest of a topic and date, after all partitions of the plan have landed.
type ManifestInput struct {
	Plan Plan `json:"plan"`
}

// ManifestSummary says where the manifest is and what the date's objects hold in all.
type ManifestSummary struct {
	URI     string `json:"uri"`
	Objects int    `json:"objects"`
	Records int64  `json:"records"`
	Bytes   int64  `json:"bytes"`
}
