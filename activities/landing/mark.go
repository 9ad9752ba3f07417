package landing

import (
	"encoding/json"
	"fmt"
)

// boundary is where a date ends: for each partition the first offset that belongs to a later date.
// It is written once, with If-None-Match: *, so that all readers see the same.
type boundary map[int]mark

// at returns the boundary of a partition; 0 for a partition that was added later, whose records
// belong to later dates.
func (b boundary) at(partition int) int64 { return b[partition].Offset }

// partitions returns how many partitions the topic had.
func (b boundary) partitions() (count int) {
	for partition := range b {
		count = max(count, partition+1)
	}
	return count
}

// mark is where a date ends in one partition.
type mark struct {
	// Offset is the first offset of a later date.
	Offset int64 `json:"offset"`
	// Generation counts the logs that the partition has had, from 0: see Restart.
	Generation int `json:"generation,omitempty"`
	// Record is the fingerprint of what the log had at the offset before, when the boundary was fixed;
	// nil if it had nothing there. Then nothing tells whether a later log is the same.
	Record *Fingerprint `json:"record,omitempty"`
	// Expired reports whether retention had deleted everything before Offset when the boundary was fixed.
	Expired bool `json:"expired,omitempty"`
	// First reports whether there was no earlier boundary. If it is also Expired, records of the next
	// date may be gone as well.
	First bool `json:"first,omitempty"`
}

// claim returns what the mark says about the log of its partition.
func (m mark) claim(partition int) claim {
	all := claim{partition: partition, end: m.Offset, record: m.Record}
	if m.Expired {
		all.first = m.Offset
	}
	return all
}

// deleted returns how many offsets retention had deleted before the topic was first planned, if they
// are all that were before the mark.
func (m mark) deleted() int64 {
	if !m.First || !m.Expired {
		return 0
	}
	return m.Offset
}

// UnmarshalJSON also reads a mark that is only its offset, as in {"0":123}.
func (m *mark) UnmarshalJSON(text []byte) error {
	type fields mark // without this method
	var full fields
	err := json.Unmarshal(text, &full.Offset)
	if err != nil {
		full = fields{}
		err = json.Unmarshal(text, &full)
	}
	if err == nil && full.Offset < 0 {
		err = fmt.Errorf("the offset %d is negative", full.Offset)
	}
	*m = mark(full)
	return err
}
