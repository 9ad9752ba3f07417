package landing

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/failure"
)

// Offsets that Kafka lost before they landed are a landed object, too: one of length 0 under the name
// of its first offset, whose metadata has the cause. So the objects of a date still follow each other
// without gaps, no two writers can disagree about an offset, and the loss is on record for good.

// lostError is the error of a fetch from offsets that Kafka no longer has.
type lostError struct{ Lost }

func (e *lostError) Error() string {
	return fmt.Sprintf("Kafka no longer has the offsets %s (%s)", describe(e.Lost), e.Cause)
}

// lostAt returns the lost offsets of the range from an offset on, if it is one of them.
func (r Range) lostAt(offset int64) (Lost, bool) {
	for _, lost := range r.Lost {
		if lost.Start <= offset && offset < lost.End {
			return Lost{Start: offset, End: min(lost.End, r.End), Cause: lost.Cause}, true
		}
	}
	return Lost{}, false
}

// availableTo returns the end of the offsets from an offset on that Kafka has.
func (r Range) availableTo(offset int64) int64 {
	end := r.End
	for _, lost := range r.Lost {
		if lost.Start > offset {
			end = min(end, lost.Start)
		}
	}
	return end
}

// putLost writes the object of lost offsets, and returns the end of the object that has its name.
func (p *partitionLanding) putLost(ctx context.Context, lost Lost) (int64, error) {
	return p.put(ctx, pendingObject{Object: Object{Partition: p.Partition, Generation: p.Generation, Start: lost.Start, End: lost.End, SHA256: emptySHA256, Lost: lost.Cause}})
}

// lostOf returns the lost offsets of a chain of objects.
func lostOf(chain []Object) (all []Lost) {
	for _, object := range chain {
		if object.Lost != "" {
			all = append(all, Lost{Start: object.Start, End: object.End, Cause: object.Lost})
		}
	}
	return all
}

// accept sets who has accepted each loss of the manifest: whoever did so in an earlier run of the
// date, or else the acceptance of this one, which may be nil. It reports whether all are accepted.
func (m *Manifest) accept(earlier Manifest, now *Acceptance) bool {
	all := true
	for i := range m.Partitions {
		for j := range m.Partitions[i].Lost {
			lost := &m.Partitions[i].Lost[j]
			if lost.Accepted = earlier.accepted(m.Partitions[i], *lost); lost.Accepted == nil {
				lost.Accepted = now
			}
			all = all && lost.Accepted != nil
		}
	}
	return all
}

// accepted returns who has accepted a loss, or nil.
func (m Manifest) accepted(of ManifestPartition, lost Lost) *Acceptance {
	for _, partition := range m.Partitions {
		for _, known := range partition.Lost {
			if partition.Partition == of.Partition && partition.Generation == of.Generation && known.Start == lost.Start && known.End == lost.End {
				return known.Accepted
			}
		}
	}
	return nil
}

// remarks returns the warnings about a landed date, in words.
func (m Manifest) remarks() (all []string) {
	var deleted []string
	for _, partition := range m.Partitions {
		if n := partition.DeletedBefore; n > 0 {
			deleted = append(deleted, fmt.Sprintf("%s of partition %d", describe(Lost{End: n}), partition.Partition))
		}
	}
	if len(deleted) > 0 {
		all = append(all, fmt.Sprintf("%s: Kafka's retention had deleted offsets before the topic was first planned, and records of %s may have been among them: %s",
			m.Topic, m.Date, strings.Join(deleted, ", ")))
	}
	for _, partition := range m.Partitions {
		if by := partition.Replaced; by != nil {
			all = append(all, fmt.Sprintf("%s: partition %d has had a new log since offset %d, and records of the old one that had not landed are lost (%s)",
				m.Topic, partition.Partition, partition.End, by))
		}
	}
	if m.Lost > 0 {
		all = append(all, m.losses())
	}
	return all
}

// losses says what Kafka lost of the date, and who has accepted that.
func (m Manifest) losses() string {
	var accepted []string
	for _, partition := range m.Partitions {
		for _, lost := range partition.Lost {
			if a := lost.Accepted; a != nil {
				accepted = append(accepted, a.String())
			}
		}
	}
	text := fmt.Sprintf("%s of %s lacks %d offsets that Kafka lost before they landed: %s", m.Topic, m.Date, m.Lost, m.lostRanges())
	if accepted = slices.Compact(accepted); len(accepted) > 0 {
		text += " (" + strings.Join(accepted, "; ") + ")"
	}
	return text
}

// lostRanges names the lost offsets.
func (m Manifest) lostRanges() string {
	var all []string
	for _, partition := range m.Partitions {
		for _, lost := range partition.Lost {
			all = append(all, fmt.Sprintf("partition %d %s (%s)", partition.Partition, describe(lost), lost.Cause))
		}
	}
	return strings.Join(all, ", ")
}

// String says who accepted a loss, when and why.
func (a Acceptance) String() string {
	return fmt.Sprintf("%s accepted it on %s: %s", cmp.Or(a.By, "an operator"), dates.Of(a.At), a.Reason)
}

// describe names offsets.
func describe(lost Lost) string { return fmt.Sprintf("offsets %d to %d", lost.Start, lost.End-1) }

// offsetsLost is the error of a date whose loss nobody has accepted.
func offsetsLost(m Manifest) error {
	return failure.NonRetryable(failure.OffsetsGone, nil, "%s. All that Kafka still has of the date has landed. "+
		"`starter rerun %s --failed --accept-gaps --reason \"…\"` goes on without the rest. Raise the topic's retention.ms, and produce the lost records again "+
		"if their source still has them: they land under the date of their arrival", m.losses(), m.Date)
}
