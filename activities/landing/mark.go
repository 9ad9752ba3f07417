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

// mark is where a date ends in one partition.
type mark struct {
	// Offset is the first offset of a later date.
	Offset int64 `json:"offset"`
	// Deleted is the first offset that Kafka had when the boundary was fixed, if there was no earlier
	// boundary and the offset is that one: retention had deleted all records before it, so that some
	// of those after the boundary may be gone as well.
	Deleted int64 `json:"deleted,omitempty"`
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
