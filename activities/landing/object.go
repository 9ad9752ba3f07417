package landing

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"

	kafkago "github.com/segmentio/kafka-go"
	"golang.org/x/sync/errgroup"

	"github.com/pinflow/pinflow/internal/bucket"
	"github.com/pinflow/pinflow/internal/envelope"
)

// emptySHA256 is the checksum of an object of length 0.
var emptySHA256 = checksum(nil)

func checksum(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// objectWriter collects the lines of one object, up to its limits.
type objectWriter struct {
	envelope   *envelope.Envelope
	partition  int
	generation int
	start      int64 // the first offset that the object covers
	next       int64 // the offset after the last record
	records    int
	last       kafkago.Message
	body       []byte
	maxBytes   int
	maxRecords int
}

func newObjectWriter(topic string, of Range, start int64, maxBytes, maxRecords int) *objectWriter {
	return &objectWriter{
		envelope: envelope.New(topic, of.Partition), partition: of.Partition, generation: of.Generation, start: start, next: start,
		maxBytes: maxBytes, maxRecords: maxRecords,
	}
}

// add appends the line of a record and reports whether it fitted. An empty object takes any record.
func (w *objectWriter) add(record kafkago.Message) bool {
	if w.records == w.maxRecords {
		return false
	}
	full := len(w.body)
	w.body = w.envelope.Append(w.body, record)
	if len(w.body) > w.maxBytes && w.records > 0 {
		w.body = w.body[:full]
		return false
	}
	w.records++
	w.last = record
	w.next = record.Offset + 1
	return true
}

// pendingObject is an object with its content.
type pendingObject struct {
	Object
	body []byte
}

// finish returns the object, which covers the offsets up to end. Its body is valid until reset.
func (w *objectWriter) finish(end int64) pendingObject {
	object := Object{
		Partition: w.partition, Generation: w.generation, Start: w.start, End: end,
		Records: int64(w.records), Bytes: int64(len(w.body)), SHA256: checksum(w.body),
	}
	if w.records > 0 {
		last := fingerprint(w.last)
		object.Last = &last
	}
	return pendingObject{body: w.body, Object: object}
}

// reset begins the next object.
func (w *objectWriter) reset(start int64) {
	w.start, w.next, w.records, w.body = start, start, 0, w.body[:0]
}

// putAttempts limits how often an object is written that is deleted each time before its metadata
// is read.
const putAttempts = 3

// put writes an object unless its name is taken, and returns the end of the object that has the
// name now: this one, or that of another writer.
func (p *partitionLanding) put(ctx context.Context, object pendingObject) (int64, error) {
	object.Key = objectKey(p.topic, p.date, object.Object)
	var err error
	for range putAttempts {
		err = p.Objects.Put(ctx, bucket.PutInput{Key: object.Key, Body: object.body, Metadata: object.metadata(), SHA256: object.SHA256, OnlyNew: true})
		written := object.Object
		if errors.Is(err, bucket.ErrExists) {
			written, err = p.head(ctx, object.Object)
		}
		if err == nil {
			p.count(written)
			return written.End, nil
		}
		if !errors.Is(err, bucket.ErrNotFound) {
			break
		}
	}
	return object.Start, s3Error(ctx, "write "+object.Key, err)
}

// empty reports whether the plan has nothing to land of a partition.
func (p Plan) empty(partition int) bool {
	for _, r := range p.Ranges {
		if r.Partition == partition && !r.Empty() {
			return false
		}
	}
	return true
}

// proveEmpty writes an object of length 0 for each partition without records of the plan's date.
func (l *Activities) proveEmpty(ctx context.Context, plan Plan, landed map[int][]Object) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(bucket.ParallelRequests)
	for _, r := range plan.Ranges {
		if !r.Empty() || len(landed[r.Partition]) > 0 || !plan.empty(r.Partition) {
			continue
		}
		group.Go(func() error {
			key := emptyKey(plan.Topic, plan.Date, r.Partition)
			err := l.Objects.Put(ctx, bucket.PutInput{Key: key, Metadata: map[string]string{metaRecords: "0", metaSHA256: emptySHA256}, OnlyNew: true})
			if err == nil || errors.Is(err, bucket.ErrExists) {
				return nil
			}
			return s3Error(ctx, "write "+key, err)
		})
	}
	return group.Wait()
}
