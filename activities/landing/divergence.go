package landing

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"sort"

	kafkago "github.com/segmentio/kafka-go"

	"github.com/pinflow/pinflow/internal/bucket"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/envelope"
)

// divergence returns the first offset at which the log that Kafka has can differ from what has landed,
// with the record before it: records before the offset are the same, and records from there on are new. It
// is 0 if nothing that has landed is in the log.
//
// An unclean leader election cuts a log off and leaves the records before the cut. They must not land
// a second time.
func (l *Activities) divergence(ctx context.Context, topic string, partition int, earlier generations) (mark, error) {
	log := &identity{kafka: l.Kafka, topic: topic}
	same, err := l.sameUpTo(ctx, log, partition, earlier)
	if err != nil || same == 0 {
		return mark{}, err
	}
	start := mark{Offset: same}
	record, ok, err := log.at(ctx, partition, same-1)
	if ok {
		start.Record = &record
	}
	return start, err
}

// sameUpTo returns the offset after the last record that has landed and that the log has; 0 if there is
// none.
func (l *Activities) sameUpTo(ctx context.Context, log *identity, partition int, earlier generations) (int64, error) {
	topic := log.topic
	whole, cut, err := l.landedOf(ctx, topic, partition, earlier)
	if err != nil || len(whole)+len(cut) == 0 {
		return 0, err
	}
	first, err := l.Kafka.FirstOffsets(ctx, topic, partition+1)
	if errors.Is(err, kafkago.UnknownTopicOrPartition) {
		return 0, nil // the new topic has fewer partitions
	}
	if err != nil {
		return 0, kafkaError(ctx, "get the first offsets of "+topic, err)
	}
	// Logs that are equal at an offset are equal before it, too.
	same := int64(0)
	differs := sort.Search(len(whole), func(n int) bool {
		if err != nil {
			return true
		}
		if whole[n], err = l.head(ctx, whole[n]); err != nil || whole[n].End <= first[partition] {
			return err != nil
		}
		found, _, failed := log.compare(ctx, partition, whole[n].Last)
		if err = failed; found == equal {
			same = max(same, whole[n].Last.Offset+1)
		}
		return found != equal
	})
	if err != nil {
		return 0, err
	}
	if differs < len(whole) {
		cut = append(cut, whole[differs])
	}
	for _, object := range cut {
		end, err := l.equalLines(ctx, topic, object, earlier.limit(partition, object.Generation))
		if err != nil {
			return 0, err
		}
		same = max(same, end)
	}
	return same, nil
}

// landedOf returns the objects that have landed of a partition, in the order of their starts: those that
// an earlier restart has left whole, and those of which it has left the first records.
func (l *Activities) landedOf(ctx context.Context, topic string, partition int, earlier generations) (whole, cut []Object, err error) {
	listed, err := l.Objects.List(ctx, bucket.ListInput{Prefix: topicPrefix(topic)})
	if err != nil {
		return nil, nil, s3Error(ctx, "list objects of "+topic, err)
	}
	for _, object := range listed {
		date, ok := dateOf(topic, object.Key)
		if !ok {
			continue
		}
		named, ok := parseObjectKey(topic, date, object.Key)
		limit := earlier.limit(partition, named.Generation)
		if !ok || named.Empty || named.Partition != partition || object.Size == 0 || named.Start >= limit {
			continue
		}
		if limit < math.MaxInt64 {
			if named, err = l.head(ctx, named); err != nil {
				return nil, nil, s3Error(ctx, "read metadata of "+named.Key, err)
			}
		}
		if named.End > limit {
			cut = append(cut, named)
		} else {
			whole = append(whole, named)
		}
	}
	slices.SortFunc(whole, func(a, b Object) int { return cmp.Compare(a.Start, b.Start) })
	return whole, cut, nil
}

// equalLines compares the lines of an object with the records that Kafka has, and returns the offset after
// the last record before the first that differs, or is at the limit; 0 if there is none.
func (l *Activities) equalLines(ctx context.Context, topic string, object Object, limit int64) (end int64, err error) {
	if object, err = l.head(ctx, object); err != nil {
		return 0, s3Error(ctx, "read metadata of "+object.Key, err)
	}
	body, err := l.Objects.Get(ctx, object.Key)
	if err != nil {
		return 0, s3Error(ctx, "read "+object.Key, err)
	}
	lines := map[string]bool{}
	for line := range bytes.Lines(body) {
		lines[string(line)] = true
	}
	first, err := l.Kafka.FirstOffsets(ctx, topic, object.Partition+1)
	if err != nil {
		return 0, kafkaError(ctx, "get the first offsets of "+topic, err)
	}
	stable, err := l.Kafka.StableOffsets(ctx, topic, object.Partition+1)
	if err != nil {
		return 0, kafkaError(ctx, "get the last offsets of "+topic, err)
	}
	writer := envelope.New(topic, object.Partition)
	for at := max(object.Start, first[object.Partition]); at < min(object.End, limit, stable[object.Partition]); {
		records, next, err := l.Kafka.Fetch(ctx, topic, object.Partition, at, fetchBytes)
		if err != nil {
			return 0, kafkaError(ctx, "read "+topic, err)
		}
		for _, record := range records {
			if record.Offset >= min(object.End, limit) || !lines[string(writer.Append(nil, record))] {
				return end, nil
			}
			end = record.Offset + 1
		}
		if next <= at {
			break
		}
		at = next
	}
	return end, nil
}

// dateOf returns the date of an object of a topic by its key.
func dateOf(topic, key string) (dates.Date, bool) {
	rest, ok := bytes.CutPrefix([]byte(key), []byte(topicPrefix(topic)+"dt="))
	if !ok || len(rest) < len("2006-01-02/") {
		return "", false
	}
	date, err := dates.Parse(string(rest[:len("2006-01-02")]))
	return date, err == nil
}
