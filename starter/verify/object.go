package verify

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/pinflow/pinflow/activities/landing"
	"github.com/pinflow/pinflow/internal/bucket"
	"github.com/pinflow/pinflow/internal/clients/s3"
)

// content is what an object holds.
type content struct {
	bytes  int64
	sha256 string
	lines  int
	first  int64 // offset
	last   int64
	sum    string // of the offsets
}

// place is a line: the offset and the time of its record, in milliseconds.
type place struct{ offset, time int64 }

// checkObject reads an object, checks it and compares it with Kafka. It completes the object by its
// metadata, or by the manifest.
func (d *day) checkObject(ctx context.Context, index int, logs *logs) error {
	object := d.objects[index]
	uri := d.Objects.URI(object.Key)
	headed, err := d.stored.Head(ctx, object)
	if errors.Is(err, bucket.ErrNotFound) {
		return nil // it was deleted since the listing
	}
	listed, isListed := d.listed[object.Key]
	switch {
	case errors.Is(err, landing.ErrMetadata):
		d.problem(Problem{Partition: &object.Partition, Offset: &object.Start, Object: uri,
			What: "the metadata do not have the offsets of the object: it was copied without them", Next: "restore it from a version of the bucket, with its metadata"})
		if headed = object; isListed {
			headed = listed
		}
	case err != nil:
		return s3.Classify(err)
	case isListed && (object.Partition != listed.Partition || object.Start != listed.Start || object.Generation != listed.Generation || object.Empty != listed.Empty || object.Empty && listed.End != 0):
		d.problem(Problem{Partition: &object.Partition, Offset: &object.Start, Object: d.Objects.URI(d.stored.ManifestKey(d.date)),
			What: "the manifest has another place for " + object.Key + " than its name: the manifest was changed", Next: d.runAgain() + " writes it again"})
	case isListed && headed.End != listed.End:
		d.problem(Problem{Partition: &object.Partition, Offset: &object.Start, Object: uri,
			What: fmt.Sprintf("it ends at offset %d by its metadata, and at %d by the manifest", headed.End, listed.End), Next: "restore the object or the manifest from a version of the bucket"})
	}
	d.objects[index] = headed
	body, err := d.Objects.Get(ctx, object.Key)
	if errors.Is(err, bucket.ErrNotFound) {
		return nil
	}
	if err != nil {
		return s3.Classify(err)
	}
	places, is, wrong := d.readLines(headed, body)
	d.found.Lock()
	d.contents[object.Key] = is
	d.found.Unlock()
	d.compareContent(headed, listed, isListed, is, wrong)
	if d.Kafka == nil || object.Empty || headed.Lost != "" {
		return nil
	}
	return d.compareKafka(ctx, logs, headed, places)
}

// compareContent reports an object whose content is not what landed. Metadata and manifest both say
// what landed: if only one of them differs, it is the one that was changed.
func (d *day) compareContent(headed, listed landing.Object, isListed bool, is content, wrong wrongLine) {
	byMetadata, byManifest := difference(headed, is), ""
	if isListed {
		byManifest = difference(listed, is)
	}
	one := Problem{Partition: &headed.Partition, Offset: &headed.Start, Object: d.Objects.URI(headed.Key), Next: d.restoreObject()}
	switch {
	case wrong.what != "" || byMetadata != "" && (byManifest != "" || !isListed):
		if wrong.what != "" {
			one.Offset = &wrong.offset
		}
		said := byMetadata
		if said == "" {
			said = byManifest
		}
		one.What = "the content is not what landed: " + strings.Join(nonEmpty(wrong.what, said), "; ")
	case byMetadata != "":
		one.What = "the metadata are not those of the content (" + byMetadata + "), which is as the manifest has it"
		one.Next = "restore it from a version of the bucket, with its metadata"
	case byManifest != "":
		one.Object = d.Objects.URI(d.stored.ManifestKey(d.date))
		one.What = fmt.Sprintf("the manifest has other figures for %s than its content and its metadata: %s", headed.Key, byManifest)
		one.Next = d.runAgain() + " writes it again"
	default:
		return
	}
	d.found.Lock()
	d.damaged[headed.Key] = d.damaged[headed.Key] || one.Next == d.restoreObject()
	d.found.Unlock()
	d.problem(one)
}

func nonEmpty(texts ...string) (all []string) {
	for _, text := range texts {
		if text != "" {
			all = append(all, text)
		}
	}
	return all
}

// wrongLine is the first line of an object that cannot be one.
type wrongLine struct {
	what   string
	offset int64
}

// readLines returns the places of the lines, what the object holds, and the first wrong line.
func (d *day) readLines(object landing.Object, body []byte) (places []place, is content, wrong wrongLine) {
	sum := sha256.Sum256(body)
	is = content{bytes: int64(len(body)), sha256: hex.EncodeToString(sum[:])}
	note := func(offset int64, what string, args ...any) {
		if wrong.what == "" {
			wrong = wrongLine{what: fmt.Sprintf("line %d ", is.lines) + fmt.Sprintf(what, args...), offset: offset}
		}
	}
	prefix := []byte(`{"topic":` + strconv.Quote(d.topic) + `,"partition":` + strconv.Itoa(object.Partition) + `,"offset":`)
	expected := object.Start
	for len(body) > 0 {
		line, rest, ended := bytes.Cut(body, []byte("\n"))
		body = rest
		is.lines++
		at, ok := parsePlace(line, prefix)
		switch {
		case !ended || !ok || line[len(line)-1] != '}':
			note(expected, "is cut, or is no record of partition %d of %s", object.Partition, d.topic)
			continue
		case at.offset < expected && len(places) > 0 && at.offset == places[len(places)-1].offset:
			note(at.offset, "has offset %d a second time", at.offset)
		case at.offset < expected:
			note(at.offset, "has offset %d, and a line before it, or the name of the object, a later one", at.offset)
		case object.End > 0 && at.offset >= object.End:
			note(at.offset, "has offset %d, and the object ends at %d", at.offset, object.End)
		}
		places, expected = append(places, at), max(expected, at.offset+1)
	}
	if len(places) > 0 {
		is.first, is.last = places[0].offset, places[len(places)-1].offset
	}
	var total int64
	for _, p := range places {
		total += p.offset
	}
	is.sum = strconv.FormatInt(total, 10)
	return places, is, wrong
}

// parsePlace reads offset and time of a line that starts with the prefix.
func parsePlace(line, prefix []byte) (place, bool) {
	rest, ok := bytes.CutPrefix(line, prefix)
	if !ok {
		return place{}, false
	}
	offset, rest, ok := cutNumber(rest)
	if !ok {
		return place{}, false
	}
	if rest, ok = bytes.CutPrefix(rest, []byte(`,"timestamp":`)); !ok {
		return place{}, false
	}
	time, _, ok := cutNumber(rest)
	return place{offset, time}, ok
}

// cutNumber cuts an integer from the start of a text.
func cutNumber(text []byte) (number int64, rest []byte, ok bool) {
	end := bytes.IndexFunc(text, func(r rune) bool { return r != '-' && (r < '0' || r > '9') })
	if end < 0 {
		end = len(text)
	}
	number, err := strconv.ParseInt(string(text[:end]), 10, 64)
	return number, text[end:], err == nil
}
