package landing

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pinflow/pinflow/internal/bucket"
	"github.com/pinflow/pinflow/internal/dates"
)

// Stored reads what landing has written of a topic. It repairs nothing and trusts nothing: it is for
// those who check what is there.
type Stored struct {
	Objects bucket.Objects
	Topic   string
}

// ErrDecode is the error of a boundary or a manifest that has no such content.
var ErrDecode = errors.New("it cannot be decoded")

// Mark is where a date ends in one partition: the first offset of a later date, in the log of that
// generation; see Restart.
type Mark struct {
	Offset     int64
	Generation int
}

// Boundary returns where a date ends, by partition. The error is bucket.ErrNotFound if it is not
// fixed, and ErrDecode if it was damaged.
func (s Stored) Boundary(ctx context.Context, date dates.Date) (map[int]Mark, error) {
	body, err := s.Objects.Get(ctx, boundaryKey(s.Topic, date))
	if err != nil {
		return nil, err
	}
	fixed := boundary{}
	if err := json.Unmarshal(body, &fixed); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDecode, err)
	}
	ends := make(map[int]Mark, len(fixed))
	for partition, mark := range fixed {
		ends[partition] = Mark{mark.Offset, mark.Generation}
	}
	return ends, nil
}

// Logs holds the restarts of a topic: which logs its partitions have had.
type Logs struct{ restarts generations }

// Logs reads the restarts of the topic.
func (s Stored) Logs(ctx context.Context) (Logs, error) {
	all, err := readGenerations(ctx, s.Objects, s.Topic)
	return Logs{all}, err
}

// Start returns the first offset of a generation after the mark at which the date before ends.
func (l Logs) Start(partition, generation int, before Mark) int64 {
	return l.restarts.from(partition, generation, mark{Offset: before.Offset, Generation: before.Generation})
}

// Limit returns the end of the offsets of a generation that Kafka can still have: later logs differ
// from there on.
func (l Logs) Limit(partition, generation int) int64 { return l.restarts.limit(partition, generation) }

// BoundaryKey returns the key of the boundary at the end of a date.
func (s Stored) BoundaryKey(date dates.Date) string { return boundaryKey(s.Topic, date) }

// Manifest returns the manifest of a date. The error is bucket.ErrNotFound if there is none, and
// ErrDecode if it was damaged.
func (s Stored) Manifest(ctx context.Context, date dates.Date) (Manifest, error) {
	return ReadManifest(ctx, s.Objects, s.Topic, date)
}

// ManifestKey returns the key of the manifest of a date.
func (s Stored) ManifestKey(date dates.Date) string { return manifestKey(s.Topic, date) }

// List returns the objects in the folder of a date, in the order of their partitions and starts, with
// what their names say: partition, start and size. Imported objects are not among
// them, see Imported. Other holds the keys that neither landing nor an import writes.
func (s Stored) List(ctx context.Context, date dates.Date) (objects []Object, other []string, err error) {
	listed, err := s.Objects.List(ctx, bucket.ListInput{Prefix: datePrefix(s.Topic, date)})
	if err != nil {
		return nil, nil, err
	}
	listed, _ = splitImported(s.Topic, date, listed)
	for _, object := range listed {
		named, ok := parseObjectKey(s.Topic, date, object.Key)
		if !ok {
			other = append(other, object.Key)
			continue
		}
		named.Bytes = object.Size
		objects = append(objects, named)
	}
	slices.SortStableFunc(objects, func(a, b Object) int {
		return cmp.Or(cmp.Compare(a.Partition, b.Partition), compareObjects(a, b))
	})
	return objects, other, nil
}

// Head returns the object with what its metadata say: landing continues after an object by them. The
// error is bucket.ErrNotFound, or says what the metadata lack.
func (s Stored) Head(ctx context.Context, object Object) (Object, error) {
	info, err := s.Objects.Head(ctx, object.Key)
	if err != nil {
		return object, err
	}
	object.Bytes, object.SHA256, object.Lost = info.Size, info.Metadata[metaSHA256], Cause(info.Metadata[metaLost])
	var errs [3]error
	object.Records, errs[0] = strconv.ParseInt(info.Metadata[metaRecords], 10, 64)
	start := object.Start
	if !object.Empty {
		start, errs[1] = strconv.ParseInt(info.Metadata[metaStart], 10, 64)
		object.End, errs[2] = strconv.ParseInt(info.Metadata[metaEnd], 10, 64)
	}
	if err := errors.Join(errs[:]...); err != nil || start != object.Start {
		return object, fmt.Errorf("%w: %v", ErrMetadata, info.Metadata)
	}
	return object, nil
}

// ErrMetadata is the error of an object whose metadata do not have its offsets.
var ErrMetadata = errors.New("the metadata do not have the offsets of the object")

// Dates returns the dates of which there is an object or a manifest, or of which both boundaries are
// fixed, in their order.
func (s Stored) Dates(ctx context.Context) ([]dates.Date, error) {
	var found, fixed []dates.Date
	for _, folder := range []struct {
		prefix string
		to     *[]dates.Date
	}{
		{"topics/" + s.Topic + "/dt=", &found}, {"manifests/" + s.Topic + "/", &found}, {boundaryPrefix(s.Topic), &fixed},
	} {
		listed, err := s.Objects.List(ctx, bucket.ListInput{Prefix: folder.prefix})
		if err != nil {
			return nil, err
		}
		for _, object := range listed {
			name, _, _ := strings.Cut(strings.TrimPrefix(object.Key, folder.prefix), "/")
			if date, err := dates.Parse(strings.TrimSuffix(name, ".json")); err == nil {
				*folder.to = append(*folder.to, date)
			}
		}
	}
	for i, date := range fixed { // in the order of the keys
		if i > 0 && fixed[i-1] == date.Add(-1) {
			found = append(found, date)
		}
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}
