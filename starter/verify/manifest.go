package verify

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pinflow/pinflow/activities/landing"
)

// checkManifest compares the manifest with the objects, and with itself.
func (d *day) checkManifest() {
	if d.manifest == nil {
		return
	}
	uri := d.Objects.URI(d.stored.ManifestKey(d.date))
	changed := func(what string, args ...any) {
		d.problem(Problem{Object: uri, What: fmt.Sprintf(what, args...) + ": the manifest was changed", Next: d.runAgain() + " writes it again"})
	}
	if d.manifest.Topic != d.topic || d.manifest.Date != d.date {
		changed("it is the manifest of %s of %s", d.manifest.Topic, d.manifest.Date)
	}
	var records, size int64
	for _, partition := range d.manifest.Partitions {
		var sum, bytes int64
		for _, object := range partition.Objects {
			sum, bytes = sum+object.Records, bytes+object.Bytes
		}
		if sum != partition.Records || bytes != partition.Bytes {
			changed("it counts %d records and %d bytes of partition %d, and the objects that it lists have %d and %d", partition.Records, partition.Bytes, partition.Partition, sum, bytes)
		}
		records, size = records+partition.Records, size+partition.Bytes
	}
	if records != d.manifest.Records || size != d.manifest.Bytes {
		changed("it counts %d records and %d bytes, and its partitions have %d and %d", d.manifest.Records, d.manifest.Bytes, records, size)
	}
	for _, object := range d.objects {
		if _, ok := d.listed[object.Key]; !ok && !d.after(object) {
			d.problem(Problem{Partition: &object.Partition, Offset: &object.Start, Object: d.Objects.URI(object.Key),
				What: "the manifest does not have this object", Next: "if no run of the date is running, " + d.runAgain() + " writes the manifest again; if the object overlaps another, move it out of the folder"})
		}
	}
	for _, key := range slices.Sorted(maps.Keys(d.listed)) {
		object := d.listed[key]
		if object.Empty && !d.has(key) {
			d.problem(Problem{Partition: &object.Partition, Object: d.Objects.URI(key), What: "the object that proves the partition empty is gone", Next: d.runAgain() + " writes it again"})
		}
	}
}

// checkLost notes the offsets that Kafka lost before they landed. The manifest names them, and who has
// accepted that the date goes on without them.
func (d *day) checkLost() {
	named := map[chain]map[int64]*landing.Acceptance{}
	if d.manifest != nil {
		for _, partition := range d.manifest.Partitions {
			log := chain{partition.Partition, partition.Generation}
			named[log] = map[int64]*landing.Acceptance{}
			for _, lost := range partition.Lost {
				named[log][lost.Start] = lost.Accepted
			}
			if n := partition.DeletedBefore; n > 0 {
				d.lost = append(d.lost, Lost{Date: d.date, Topic: d.topic, Partition: partition.Partition, BeforeFirstPlan: true,
					Lost: landing.Lost{End: n, Cause: landing.Expired}})
			}
		}
	}
	for _, object := range d.objects {
		if object.Lost == "" {
			continue
		}
		lost := landing.Lost{Start: object.Start, End: object.End, Cause: object.Lost, Accepted: named[chain{object.Partition, object.Generation}][object.Start]}
		if lost.Accepted == nil && !d.WarnOfGaps {
			d.problem(Problem{Partition: &object.Partition, Offset: &object.Start, Object: d.Objects.URI(object.Key),
				What: fmt.Sprintf("Kafka lost %s before they landed (%s), and nobody has accepted that", offsetsText(object.Start, object.End), object.Lost),
				Next: "produce the records again if their source has them; then `" + d.Command(fmt.Sprintf("rerun %s --failed --accept-gaps --reason \"…\"", d.date)) + "` goes on without them"})
			continue
		}
		d.lost = append(d.lost, Lost{Date: d.date, Topic: d.topic, Partition: object.Partition, Lost: lost})
	}
}

// after reports whether an object has landed after the manifest of a partial date: that is reported by
// partition.
func (d *day) after(object landing.Object) bool {
	return d.manifest.Partial && !object.Empty && slices.ContainsFunc(d.manifest.Partitions, func(p landing.ManifestPartition) bool {
		return p.Partition == object.Partition && p.Generation == object.Generation && object.Start >= p.End
	})
}

// difference returns how what is said about an object differs from its content; empty if it does
// not.
func difference(said landing.Object, is content) string {
	var differs []string
	if said.Bytes != is.bytes {
		differs = append(differs, fmt.Sprintf("%d bytes of %d", is.bytes, said.Bytes))
	}
	if said.Records != int64(is.lines) {
		differs = append(differs, fmt.Sprintf("%d lines of %d", is.lines, said.Records))
	}
	if said.SHA256 != is.sha256 {
		differs = append(differs, "another checksum")
	}
	return strings.Join(differs, ", ")
}
