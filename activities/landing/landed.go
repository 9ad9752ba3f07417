package landing

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"

	"golang.org/x/sync/errgroup"

	"github.com/pinflow/pinflow/internal/bucket"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/failure"
)

// Metadata of a landed object, so that landing can continue after the object without reading it.
const (
	metaStart   = "start-offset" // the first offset that the object covers
	metaEnd     = "end-offset"   // the first offset after those that it covers
	metaRecords = "records"      // the number of lines: offsets can be missing in Kafka
	metaSHA256  = "sha256"       // of the content, in hex
	metaLast    = "last-record"  // the fingerprint of the last record: offset, time in ms, checksum
	metaLost    = "lost"         // the cause, if Kafka lost the offsets before they landed
)

// Object is a landed object. It covers the offsets [Start, End) with Records lines. SHA256 is in
// hex.
type Object struct {
	Key       string `json:"key"`
	Partition int    `json:"partition"`
	// Generation counts the logs that the partition has had, from 0: see Restart. Offsets of different
	// generations are different records.
	Generation int    `json:"generation,omitempty"`
	Start      int64  `json:"start"`
	End        int64  `json:"end"`
	Records    int64  `json:"records"`
	Bytes      int64  `json:"bytes"`
	SHA256     string `json:"sha256"`
	// Last is the fingerprint of the last record, or of the marker of a transaction after it, by which a
	// later landing knows the log again; nil if there is neither.
	Last *Fingerprint `json:"last,omitempty"`
	// Empty reports whether it is the object of an empty range, which covers nothing.
	Empty bool `json:"empty,omitempty"`
	// Lost is the cause if Kafka lost the offsets before they landed. The object has the length 0 then.
	Lost Cause `json:"lost,omitempty"`
}

func (o Object) metadata() map[string]string {
	all := map[string]string{
		metaStart:   strconv.FormatInt(o.Start, 10),
		metaEnd:     strconv.FormatInt(o.End, 10),
		metaRecords: strconv.FormatInt(o.Records, 10),
		metaSHA256:  o.SHA256,
	}
	if o.Last != nil {
		all[metaLast] = o.Last.metadata()
	}
	if o.Lost != "" {
		all[metaLost] = string(o.Lost)
	}
	return all
}

// landed returns the landed objects with the prefix by partition, in the order of their starts.
func (l *Activities) landed(ctx context.Context, topic string, date dates.Date, prefix string) (map[int][]Object, error) {
	listed, err := l.Objects.List(ctx, bucket.ListInput{Prefix: prefix})
	if err != nil {
		return nil, s3Error(ctx, "list objects of "+prefix, err)
	}
	listed, _ = splitImported(topic, date, listed)
	objects := make([]Object, len(listed))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(bucket.ParallelRequests)
	for i, object := range listed {
		named, ok := parseObjectKey(topic, date, object.Key)
		if !ok {
			return nil, failure.NonRetryable(failure.Contradiction, nil, "%s is not a landed object: move it out of the folder", l.Objects.URI(object.Key))
		}
		objects[i] = named
		if objects[i].Bytes = object.Size; named.Empty {
			objects[i].SHA256 = emptySHA256
			continue
		}
		group.Go(func() (err error) {
			objects[i], err = l.head(ctx, objects[i])
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	byPartition := map[int][]Object{}
	for _, object := range objects {
		byPartition[object.Partition] = append(byPartition[object.Partition], object)
	}
	for _, chain := range byPartition {
		slices.SortFunc(chain, compareObjects)
	}
	return byPartition, nil
}

// compareObjects orders by generation and start. The order of the keys differs beyond ten digits.
func compareObjects(a, b Object) int {
	return cmp.Or(cmp.Compare(a.Generation, b.Generation), cmp.Compare(a.Start, b.Start))
}

// ofGeneration returns the objects of a generation. Those of empty ranges are of generation 0.
func ofGeneration(chain []Object, generation int) []Object {
	var some []Object
	for _, object := range chain {
		if object.Generation == generation {
			some = append(some, object)
		}
	}
	return some
}

// head returns what an existing object covers, by its metadata.
func (l *Activities) head(ctx context.Context, object Object) (Object, error) {
	info, err := l.Objects.Head(ctx, object.Key)
	if errors.Is(err, bucket.ErrNotFound) {
		return object, err
	}
	if err != nil {
		return object, s3Error(ctx, "read metadata of "+object.Key, err)
	}
	start, errStart := strconv.ParseInt(info.Metadata[metaStart], 10, 64)
	end, errEnd := strconv.ParseInt(info.Metadata[metaEnd], 10, 64)
	records, errRecords := strconv.ParseInt(info.Metadata[metaRecords], 10, 64)
	if err := errors.Join(errStart, errEnd, errRecords); err != nil || start != object.Start || end <= start {
		return object, failure.NonRetryable(failure.Contradiction, err, "the metadata of %s does not have its offsets (%v): it was copied without its metadata, or not written by Pinflow; restore it",
			l.Objects.URI(object.Key), info.Metadata)
	}
	object.End, object.Records, object.Bytes, object.SHA256 = end, records, info.Size, info.Metadata[metaSHA256]
	object.Last = parseFingerprint(info.Metadata[metaLast])
	object.Lost = Cause(info.Metadata[metaLost])
	return object, nil
}

// chainEnd returns the offset at which the objects of one generation of a partition end. They must follow each other
// from the start without gaps, because landing only writes at the end of this chain.
func chainEnd(objects bucket.Objects, chain []Object, start int64) (int64, error) {
	end := start
	for _, object := range chain {
		if object.Empty {
			continue
		}
		if object.Start != end {
			return 0, failure.NonRetryable(failure.Contradiction, nil, "%s starts at offset %d, but the objects before it end at %d: restore the missing objects, or move this one out of the folder and run the date again",
				objects.URI(object.Key), object.Start, end)
		}
		end = object.End
	}
	return end, nil
}
