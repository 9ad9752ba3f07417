package verify

import (
	"fmt"
	"maps"
	"slices"

	"github.com/pinflow/pinflow/activities/landing"
	"github.com/pinflow/pinflow/internal/dates"
)

// What to do about the three kinds of things in the bucket.
const (
	restoreBoundary = "restore it from a version of the bucket, as it was when the date landed"
	restoreObject   = "restore it from a version of the bucket; or, while Kafka has its offsets, move %sthe objects of the partition after it out of the folder, and %s lands them again"
)

// restoreObject is for an object that is there, restoreGone for one that is not.
func (d *day) restoreObject() string { return fmt.Sprintf(restoreObject, "it and ", d.runAgain()) }

func (d *day) restoreGone() string { return fmt.Sprintf(restoreObject, "", d.runAgain()) }

// checkChain checks that the objects of a partition cover the date: from one boundary to the other,
// without a gap and without an overlap. Boundaries, manifest and objects say the same three times, so
// that the one that differs is the one that was changed.
func (d *day) checkChain(partition, generation int) {
	chain := slices.DeleteFunc(slices.Clone(d.objects), func(o landing.Object) bool { return o.Partition != partition || o.Generation != generation || o.Empty })
	var listed *landing.ManifestPartition
	if d.manifest != nil {
		for i := range d.manifest.Partitions {
			if p := d.manifest.Partitions[i]; p.Partition == partition && p.Generation == generation {
				listed = &d.manifest.Partitions[i]
			}
		}
	}
	start := d.expectedStart(partition, generation, chain, listed)
	end, known := d.expectedEnd(partition, generation, chain, listed)
	at := start
	for _, object := range chain {
		switch {
		case object.Start > at:
			d.gap(partition, generation, at, object.Start)
		case object.Start < at:
			d.problem(Problem{Partition: &partition, Offset: &object.Start, Object: d.Objects.URI(object.Key),
				What: fmt.Sprintf("%s are in two objects, or before the start of the date: this object and the one before it overlap", offsetsText(object.Start, min(at, max(object.End, object.Start+1)))),
				Next: "compare the object with the manifest, and move the one that the manifest does not have out of the folder"})
		}
		at = max(at, object.End)
	}
	switch {
	case !known:
	case at < end:
		d.gap(partition, generation, at, end)
	case at > end && len(chain) == 0:
		d.problem(Problem{Partition: &partition, Offset: &end, Object: d.boundaryURI(d.date),
			What: fmt.Sprintf("the date ends at offset %d, and starts after it, at %d: boundaries or manifest (%s) were changed", end, at, d.Objects.URI(d.stored.ManifestKey(d.date))),
			Next: restoreBoundary})
	case at > end && d.landed.State == Partial:
		d.problem(Problem{Partition: &partition, Offset: &end, Object: d.Objects.URI(d.stored.ManifestKey(d.date)),
			What: fmt.Sprintf("%s have landed after the manifest was written", offsetsText(end, at)),
			Next: "if no run of the date is running, " + d.runAgain() + " completes the manifest"})
	case at > end:
		d.problem(Problem{Partition: &partition, Offset: &end, Object: d.Objects.URI(chain[len(chain)-1].Key),
			What: fmt.Sprintf("%s are in objects of the date, and belong to the next one by the boundary at %d", offsetsText(end, at), end),
			Next: "restore the boundary or the object from a version of the bucket"})
	}
}

// gap notes offsets that are in no object: those of objects that the manifest has, or others.
func (d *day) gap(partition, generation int, start, end int64) {
	for _, key := range slices.Sorted(maps.Keys(d.listed)) {
		object := d.listed[key]
		if object.Partition != partition || object.Generation != generation || object.Empty || object.Start < start || object.Start >= end || d.has(key) {
			continue
		}
		d.problem(Problem{Partition: &partition, Offset: &object.Start, Object: d.Objects.URI(key),
			What: fmt.Sprintf("the object is gone, and %s with it (%d records)", offsetsText(object.Start, object.End), object.Records), Next: d.restoreGone()})
		if object.Start > start {
			d.gap(partition, generation, start, object.Start)
		}
		start = object.End
		if start >= end {
			return
		}
	}
	next := d.runAgain() + " lands them, while Kafka has them"
	what := " are in no object"
	if d.landed.State == Partial && d.ends != nil && end == d.ends[partition].Offset {
		what = " have not landed: the date is over, and its last run was partial"
	}
	d.problem(Problem{Partition: &partition, Offset: &start, What: offsetsText(start, end) + what, Next: next})
}

func (d *day) has(key string) bool {
	return slices.ContainsFunc(d.objects, func(o landing.Object) bool { return o.Key == key })
}

// expectedStart returns where the partition starts, by two of three witnesses.
func (d *day) expectedStart(partition, generation int, chain []landing.Object, listed *landing.ManifestPartition) int64 {
	if d.starts == nil {
		d.missingBoundary(d.date.Add(-1), "starts")
		switch {
		case listed != nil:
			return listed.Start
		case len(chain) > 0:
			return chain[0].Start
		}
		return 0
	}
	fixed := d.logs.Start(partition, generation, d.starts[partition])
	if listed == nil || listed.Start == fixed {
		return fixed
	}
	landed := listed.End // without records the partition starts where it ends
	switch {
	case len(chain) > 0:
		landed = chain[0].Start
	case d.endsIn(partition, generation):
		landed = d.ends[partition].Offset
	}
	if landed == listed.Start {
		d.changedBoundary(partition, d.date.Add(-1), fixed, listed.Start, "start")
		return listed.Start
	}
	d.changedManifest(partition, "start", listed.Start, fixed)
	return fixed
}

// expectedEnd returns where the partition ends, by two of three witnesses; known is false if nothing
// says it.
func (d *day) expectedEnd(partition, generation int, chain []landing.Object, listed *landing.ManifestPartition) (end int64, known bool) {
	switch {
	case !d.endsIn(partition, generation) && listed == nil:
		return 0, false
	case !d.endsIn(partition, generation): // not fixed yet, or another log replaced this one within the date
		if d.landed.State == Complete && d.ends == nil {
			d.missingBoundary(d.date, "ends")
		}
		return listed.End, true
	case listed == nil, listed.End == d.ends[partition].Offset:
		return d.ends[partition].Offset, true
	case d.landed.State == Partial && listed.End < d.ends[partition].Offset:
		return d.ends[partition].Offset, true
	}
	fixed, landed := d.ends[partition].Offset, listed.Start
	if d.starts != nil {
		landed = d.logs.Start(partition, generation, d.starts[partition]) // without records the partition ends where it starts
	}
	for _, object := range chain {
		landed = max(landed, object.End)
	}
	if landed == fixed {
		d.changedManifest(partition, "end", listed.End, fixed)
		return fixed, true
	}
	d.changedBoundary(partition, d.date, fixed, listed.End, "end")
	return listed.End, true
}

// endsIn reports whether the date ends in that log of the partition.
func (d *day) endsIn(partition, generation int) bool {
	return d.ends != nil && d.ends[partition].Generation == generation
}

func (d *day) missingBoundary(date dates.Date, verb string) {
	one := Problem{Object: d.boundaryURI(date), What: fmt.Sprintf("the boundary at which %s %s is gone, or was damaged", d.date, verb), Next: restoreBoundary}
	if !slices.ContainsFunc(d.problems, func(p Problem) bool { return p.Object == one.Object }) {
		d.problem(one)
	}
}

func (d *day) changedBoundary(partition int, date dates.Date, fixed, landed int64, what string) {
	d.problem(Problem{Partition: &partition, Offset: &fixed, Object: d.boundaryURI(date),
		What: fmt.Sprintf("the boundary is at offset %d, and %ss of %s %s at %d by manifest and objects: the boundary was changed", fixed, "the record", d.date, what, landed),
		Next: fmt.Sprintf("write %d for partition %d into it again, or restore it from a version of the bucket", landed, partition)})
}

func (d *day) changedManifest(partition int, what string, listed, landed int64) {
	d.problem(Problem{Partition: &partition, Offset: &listed, Object: d.Objects.URI(d.stored.ManifestKey(d.date)),
		What: fmt.Sprintf("the manifest has the %s of the partition at offset %d, boundary and objects at %d: the manifest was changed", what, listed, landed),
		Next: d.runAgain() + " writes it again"})
}
