package landing

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/pinflow/pinflow/internal/bucket"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/failure"
)

// importMark begins what replaces the start offset in the names of imported objects. They are beside
// the landed objects of a date, load reads them in the same way, and landing leaves them alone: their
// offsets are those of another pipeline.
const importMark = "import-"

// ImportedKey returns the key of an object of records that another pipeline has read from Kafka. The
// name tells it from the other imported objects of the topic, date and partition.
func ImportedKey(topic string, date dates.Date, partition int, name string) string {
	return fmt.Sprintf("%s%s+%d+%s%s.json", partitionPrefix(topic, date, partition), topic, partition, importMark, name)
}

// PutImported writes an imported object under its key. The error is bucket.ErrExists if it is there
// already. Start and End are those of its records: others can be between them.
func PutImported(ctx context.Context, objects bucket.Objects, object Object, body []byte) error {
	object.SHA256 = checksum(body)
	return objects.Put(ctx, bucket.PutInput{Key: object.Key, Body: body, Metadata: object.metadata(), SHA256: object.SHA256, OnlyNew: true})
}

// Checksum returns the SHA-256 of an object's content, as the metadata have it.
func Checksum(body []byte) string { return checksum(body) }

// imported returns the partition of an imported object by its key.
func imported(topic string, date dates.Date, key string) (partition int, ok bool) {
	rest, ok := strings.CutPrefix(key, datePrefix(topic, date)+"partition=")
	if !ok {
		return 0, false
	}
	var name string
	if n, err := fmt.Sscanf(strings.Replace(rest, "/", " ", 1), "%d %s", &partition, &name); n != 2 || err != nil {
		return 0, false
	}
	start := fmt.Sprintf("%s+%d+%s", topic, partition, importMark)
	return partition, strings.HasPrefix(name, start) && strings.HasSuffix(name, ".json") && !strings.Contains(name, "/")
}

// splitImported returns the objects of a date without the imported ones, and those.
func splitImported(topic string, date dates.Date, listed []bucket.Object) (others []bucket.Object, found []Object) {
	for _, object := range listed {
		if partition, ok := imported(topic, date, object.Key); ok {
			found = append(found, Object{Key: object.Key, Partition: partition, Bytes: object.Size})
		} else {
			others = append(others, object)
		}
	}
	return others, found
}

// readImported returns the imported objects of a date with what their metadata say.
func (l *Activities) readImported(ctx context.Context, topic string, date dates.Date) ([]Object, error) {
	prefix := datePrefix(topic, date)
	listed, err := l.Objects.List(ctx, bucket.ListInput{Prefix: prefix})
	if err != nil {
		return nil, s3Error(ctx, "list objects of "+prefix, err)
	}
	_, found := splitImported(topic, date, listed)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(bucket.ParallelRequests)
	for i := range found {
		group.Go(func() (err error) {
			found[i], err = HeadImported(ctx, l.Objects, found[i])
			if errors.Is(err, ErrMetadata) {
				return failure.NonRetryable(failure.Contradiction, err, "%s: %v. It was copied without its metadata, or not written by `starter import`: restore it",
					l.Objects.URI(found[i].Key), err)
			}
			return s3Error(ctx, "read metadata of "+found[i].Key, err)
		})
	}
	return found, group.Wait()
}

// HeadImported returns an imported object with what its metadata say. The error is
// bucket.ErrNotFound, or ErrMetadata.
func HeadImported(ctx context.Context, objects bucket.Objects, object Object) (Object, error) {
	info, err := objects.Head(ctx, object.Key)
	if err != nil {
		return object, err
	}
	var errs [3]error
	object.Start, errs[0] = strconv.ParseInt(info.Metadata[metaStart], 10, 64)
	object.End, errs[1] = strconv.ParseInt(info.Metadata[metaEnd], 10, 64)
	object.Records, errs[2] = strconv.ParseInt(info.Metadata[metaRecords], 10, 64)
	object.Bytes, object.SHA256 = info.Size, info.Metadata[metaSHA256]
	if err := errors.Join(errs[:]...); err != nil {
		return object, fmt.Errorf("%w: %v", ErrMetadata, info.Metadata)
	}
	return object, nil
}

// Imported returns the imported objects in the folder of a date, without what their metadata say.
func (s Stored) Imported(ctx context.Context, date dates.Date) ([]Object, error) {
	listed, err := s.Objects.List(ctx, bucket.ListInput{Prefix: datePrefix(s.Topic, date)})
	_, found := splitImported(s.Topic, date, listed)
	return found, err
}
