package landing

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
	"sync"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"golang.org/x/sync/errgroup"

	"github.com/pinflow/pinflow/internal/bucket"
	"github.com/pinflow/pinflow/internal/failure"
)

// A log has an identity. Offsets alone do not show that a topic was deleted and created again, or cut
// off by an unclean leader election, once it has grown past the offsets that are known of it. Boundaries
// and landed objects therefore keep a fingerprint of the record before their end. If Kafka has another
// record there, nothing is landed until an operator decides. If it has none, because retention or
// compaction has removed it, nothing is known, and landing goes on.

// Fingerprint identifies the record at an offset of a partition. The record may also be a marker of a
// transaction.
type Fingerprint struct {
	Offset int64 `json:"offset"`
	// Timestamp is the time of the record, in milliseconds since 1970.
	Timestamp int64 `json:"timestamp"`
	// Checksum is the CRC-32C of key and value, in hex.
	Checksum string `json:"crc32c"`
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// fingerprint returns the fingerprint of a record.
func fingerprint(record kafkago.Message) Fingerprint {
	length := make([]byte, 0, binary.MaxVarintLen64)
	if record.Key != nil {
		length = binary.AppendVarint(length, int64(len(record.Key)))
	}
	sum := crc32.Checksum(length, castagnoli)
	sum = crc32.Update(sum, castagnoli, record.Key)
	sum = crc32.Update(sum, castagnoli, record.Value)
	return Fingerprint{Offset: record.Offset, Timestamp: record.Time.UnixMilli(), Checksum: fmt.Sprintf("%08x", sum)}
}

// metadata returns the fingerprint as the metadata of an object has it.
func (f Fingerprint) metadata() string {
	return fmt.Sprintf("%d %d %s", f.Offset, f.Timestamp, f.Checksum)
}

// parseFingerprint reads the metadata of an object; nil if it is none.
func parseFingerprint(text string) *Fingerprint {
	var f Fingerprint
	if n, err := fmt.Sscanf(text, "%d %d %8s", &f.Offset, &f.Timestamp, &f.Checksum); n != 3 || err != nil {
		return nil
	}
	return &f
}

// verdict is what a fingerprint says about the log that Kafka has now.
type verdict int

const (
	unknown verdict = iota // Kafka no longer has a record at the offset
	equal
	other
)

// mismatch is what shows that a partition has another log.
type mismatch struct {
	partition int
	what      string
}

// replacedError is the error of partitions whose log is not the one that has landed.
type replacedError struct {
	topic string
	found []mismatch
}

func (e *replacedError) Error() string {
	all := make([]string, len(e.found))
	for i, m := range e.found {
		all[i] = fmt.Sprintf("partition %d %s", m.partition, m.what)
	}
	return fmt.Sprintf("the log of %s is not the one that has landed: %s", e.topic, strings.Join(all, ", "))
}

// final returns the error for the operator.
func (e *replacedError) final(in PlanInput) error {
	return failure.NonRetryable(failure.TopicReplaced, nil, "%v. The topic was deleted and created again, or an unclean leader election has cut it off. "+
		"Nothing has landed from the new log, and what has landed of the old one stays. "+
		"`starter rerun %s --failed --accept-gaps --reason \"…\"` goes on from the start of the new log, without records of the old one that had not landed",
		e, in.Date)
}

// endsBefore is the mismatch of a partition that ends before an offset that it has had.
func endsBefore(partition int, known, end int64) *mismatch {
	return &mismatch{partition, fmt.Sprintf("ends at offset %d but has had offset %d", end, known-1)}
}

// identity compares fingerprints with Kafka. It asks once for each.
type identity struct {
	kafka Kafka
	topic string

	mu    sync.Mutex
	asked map[place]found
}

type place struct {
	partition int
	offset    int64
}

type found struct {
	record Fingerprint
	ok     bool
}

// at returns the fingerprint of the record that Kafka has at an offset, if it has one.
func (i *identity) at(ctx context.Context, partition int, offset int64) (Fingerprint, bool, error) {
	i.mu.Lock()
	known, ok := i.asked[place{partition, offset}]
	i.mu.Unlock()
	if ok {
		return known.record, known.ok, nil
	}
	record, ok, err := i.kafka.RecordAt(ctx, i.topic, partition, offset)
	if err != nil {
		return Fingerprint{}, false, kafkaError(ctx, fmt.Sprintf("read partition %d of %s at offset %d", partition, i.topic, offset), err)
	}
	known = found{ok: ok}
	if ok {
		known.record = fingerprint(record)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.asked == nil {
		i.asked = map[place]found{}
	}
	i.asked[place{partition, offset}] = known
	return known.record, known.ok, nil
}

// compare compares a fingerprint, which may be nil, with Kafka.
func (i *identity) compare(ctx context.Context, partition int, known *Fingerprint) (verdict, Fingerprint, error) {
	if known == nil {
		return unknown, Fingerprint{}, nil
	}
	now, ok, err := i.at(ctx, partition, known.Offset)
	switch {
	case err != nil || !ok:
		return unknown, now, err
	case now == *known:
		return equal, now, nil
	}
	return other, now, nil
}

// claim is what is known of the log of a partition: it has had all offsets up to end, retention has
// deleted those before first, and it has or had the record, if that is known.
type claim struct {
	partition  int
	first, end int64
	record     *Fingerprint
}

// ends holds the first and the last stable offsets of a topic, by partition.
type ends struct{ first, stable []int64 }

// ends asks Kafka for them.
func (i *identity) ends(ctx context.Context, partitions int) (e ends, err error) {
	// The first come first: the last can only be the later ones then.
	if e.first, err = i.kafka.FirstOffsets(ctx, i.topic, partitions); err != nil {
		return e, kafkaError(ctx, "get the first offsets of "+i.topic, err)
	}
	if e.stable, err = i.kafka.StableOffsets(ctx, i.topic, partitions); err != nil {
		return e, kafkaError(ctx, "get the last offsets of "+i.topic, err)
	}
	return e, nil
}

// check returns a *replacedError unless the partitions, which have those ends now, can be those of the
// claims.
func (i *identity) check(ctx context.Context, claims []claim, now ends) error {
	wrong := make([]*mismatch, len(claims))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(bucket.ParallelRequests)
	for n, c := range claims {
		first, end := int64(0), int64(0)
		if c.partition < len(now.stable) {
			first, end = now.first[c.partition], now.stable[c.partition]
		}
		if end < c.end {
			wrong[n] = endsBefore(c.partition, c.end, end)
			continue
		}
		if first < c.first {
			wrong[n] = &mismatch{c.partition, fmt.Sprintf("starts at offset %d but had lost those before %d", first, c.first)}
			continue
		}
		group.Go(func() error {
			verdict, found, err := i.compare(ctx, c.partition, c.record)
			if verdict == other {
				wrong[n] = &mismatch{c.partition, fmt.Sprintf("has at offset %d another record (of %s, before: of %s)", found.Offset, moment(found), moment(*c.record))}
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	var found []mismatch
	seen := map[int]bool{}
	for _, m := range wrong {
		if m != nil && !seen[m.partition] {
			seen[m.partition] = true
			found = append(found, *m)
		}
	}
	if len(found) > 0 {
		return &replacedError{i.topic, found}
	}
	return nil
}

// moment is the time of a record, for readers.
func moment(f Fingerprint) string {
	return time.UnixMilli(f.Timestamp).UTC().Format("2006-01-02T15:04:05.000Z")
}

// asReplaced returns err if it is a *replacedError.
func asReplaced(err error) (replaced *replacedError, ok bool) {
	ok = errors.As(err, &replaced)
	return replaced, ok
}
