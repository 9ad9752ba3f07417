package verify

import (
	"time"

	"github.com/pinflow/pinflow/activities/landing"
	"github.com/pinflow/pinflow/internal/dates"
)

// Report is what a verification has found.
type Report struct {
	// Proven reports whether every record of the dates is there once, by all checks: there is no
	// problem, and nothing that could not be checked.
	Proven bool `json:"proven"`
	// Topics has an entry for each date and topic, in this order.
	Topics []Landed `json:"topics"`
	// Lost are offsets that Kafka lost before they landed, whose loss was accepted, and those that
	// retention had deleted before a topic was first planned.
	Lost []Lost `json:"lost"`
	// Problems are records that are missing or doubled, and what contradicts itself.
	Problems []Problem `json:"problems"`
	// Unchecked is what could not be proven, and why.
	Unchecked []Unchecked `json:"unchecked"`
}

// Landed is what was found of a topic and date.
type Landed struct {
	Date  dates.Date `json:"date"`
	Topic string     `json:"topic"`
	State State      `json:"state"`
	// Until is where a partial date ends; it is verified up to there.
	Until *time.Time `json:"until,omitempty"`
	// Objects, Records and Bytes count what the objects hold.
	Objects int   `json:"objects"`
	Records int64 `json:"records"`
	Bytes   int64 `json:"bytes"`
	// Kafka counts the records that Kafka still has, of which each was compared with its line.
	Kafka int64 `json:"kafka"`
	// Tables counts the rows of the date; nil if they were not counted.
	Tables *Tables `json:"tables,omitempty"`
	// Problems counts the problems of the date and topic.
	Problems int `json:"problems"`
}

// Lost is the offsets [Start, End) of a partition, which Kafka lost before they landed.
type Lost struct {
	Date      dates.Date `json:"date"`
	Topic     string     `json:"topic"`
	Partition int        `json:"partition"`
	landing.Lost
	// BeforeFirstPlan reports whether they were deleted before the topic was first planned: records of
	// the date may have been among them.
	BeforeFirstPlan bool `json:"beforeFirstPlan,omitempty"`
}

// State is how far a topic and date has landed.
type State string

// The states.
const (
	Complete  State = "complete"   // up to the end of the date
	Partial   State = "partial"    // up to a moment within the date
	NotLanded State = "not landed" // not at all
)

// Tables counts the rows of a topic and date: Records = Rows + Quarantined + Older. Records counts
// elements, of which a row of raw can have several.
type Tables struct {
	Raw         int64 `json:"raw"`
	Records     int64 `json:"records"`
	Rows        int64 `json:"rows"`
	Quarantined int64 `json:"quarantined"`
	// Older counts valid records that give way to a later one of the same post and date.
	Older int64 `json:"older"`
}

// Problem is a record that is missing or doubled, or a contradiction. The place is as exact as it is
// known.
type Problem struct {
	Date      dates.Date `json:"date"`
	Topic     string     `json:"topic"`
	Partition *int       `json:"partition,omitempty"`
	Offset    *int64     `json:"offset,omitempty"` // the first one
	// Object is the address of an object: a landed one, a boundary, or a manifest.
	Object string `json:"object,omitempty"`
	Table  string `json:"table,omitempty"`
	What   string `json:"what"`
	// Next is what the reader can do.
	Next string `json:"next"`
}

// Unchecked is something that could not be checked.
type Unchecked struct {
	Date  dates.Date `json:"date,omitempty"`
	Topic string     `json:"topic,omitempty"`
	Table string     `json:"table,omitempty"`
	What  string     `json:"what"`
	Why   string     `json:"why"`
}
