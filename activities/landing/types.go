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
	// Optional reports whether the topic need not exist. One that has existed must.
	Optional bool `json:"optional,omitempty"`
	// Accept goes on with the new log of partitions whose log is not the one that has landed.
	Accept *Acceptance `json:"accept,omitempty"`
}

// Range is the offsets [Start, End) of one partition. Start equals End if there is nothing to land.
type Range struct {
	Partition int `json:"partition"`
	// Generation counts the logs that the partition has had, from 0: see Restart. A date in which a
	// partition got a new log has a range for each.
	Generation int   `json:"generation,omitempty"`
	Start      int64 `json:"start"`
	End        int64 `json:"end"`
	// Lost holds the offsets of the range that Kafka does not have any more, in their order. Landing
	// writes an object of length 0 in their place.
	Lost []Lost `json:"lost,omitempty"`
}

// Cause is why Kafka does not have offsets that have not landed.
type Cause string

const (
	// Expired is for offsets that the topic's retention deleted before they landed.
	Expired Cause = "expired"
	// Replaced is for offsets of a log that is gone: the topic was deleted and created again, or an
	// unclean leader election has cut the log off.
	Replaced Cause = "replaced"
)

// Lost is the offsets [Start, End) of one partition, which Kafka lost before they landed. Not every
// offset had a record.
type Lost struct {
	Start int64 `json:"start"`
	End   int64 `json:"end"`
	Cause Cause `json:"cause"`
	// Accepted is who accepted the loss, so that runs of the date do not fail because of it. Only
	// manifests have it.
	Accepted *Acceptance `json:"accepted,omitempty"`
}

// Offsets counts the offsets.
func (l Lost) Offsets() int64 { return l.End - l.Start }

// Acceptance is an operator's decision that a date goes on without the records that Kafka lost.
type Acceptance struct {
	By     string `json:"by,omitempty"`
	Reason string `json:"reason"`
	// At is when the loss was first accepted, by the worker's clock. Only manifests have it.
	At time.Time `json:"at,omitzero"`
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
	// Missing reports that the topic is optional and does not exist: there is nothing to land, and no
	// manifest to write.
	Missing bool `json:"missing,omitempty"`
}

// Lost counts the offsets of the ranges that Kafka does not have any more.
func (p Plan) Lost() (sum int64) {
	for _, r := range p.Ranges {
		for _, lost := range r.Lost {
			sum += lost.Offsets()
		}
	}
	return sum
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
	// Accept accepts what Kafka has lost of the date.
	Accept *Acceptance `json:"accept,omitempty"`
}

// ManifestSummary has the address of the manifest and what the objects of the date hold in all.
type ManifestSummary struct {
	URI     string `json:"uri"`
	Objects int    `json:"objects"`
	Records int64  `json:"records"`
	Bytes   int64  `json:"bytes"`
	// Remarks are warnings about the landing, in words.
	Remarks []string `json:"remarks,omitempty"`
}
