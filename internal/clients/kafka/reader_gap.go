package kafka

import (
	"context"
	"errors"
	"time"

	kafkago "github.com/segmentio/kafka-go"
)

const (
	// probeBytes is the size of a request for a batch's place: Kafka returns a batch as a whole.
	probeBytes = 1
	// probeWait is how long the broker waits if there is no batch.
	probeWait = time.Millisecond
	// gapTime limits a search at a slow broker: its caller has to heartbeat. The next one continues.
	gapTime = 20 * time.Second
)

// gapEnd returns the offset after a batch, by its first offset and an offset in it. It searches, as
// kafka-go does not return the end of a batch: it doubles the distance until an offset is in
// another batch, and then halves it. A gap of a million offsets takes 40 requests. The result always
// follows an offset that was in the gap, so that no record is missed if the batch disappears
// meanwhile.
func (r *Reader) gapEnd(ctx context.Context, from place, base, offset int64) (int64, error) {
	began := time.Now()
	last, distance := offset, int64(1)
	for time.Since(began) < gapTime {
		inside, err := r.inBatch(ctx, from, base, last+distance)
		if err != nil {
			return 0, err
		}
		if !inside {
			break
		}
		last, distance = last+distance, 2*distance
	}
	end := last + distance
	for end-last > 1 && time.Since(began) < gapTime {
		middle := last + (end-last)/2
		inside, err := r.inBatch(ctx, from, base, middle)
		switch {
		case err != nil:
			return 0, err
		case inside:
			last = middle
		default:
			end = middle
		}
	}
	return last + 1, nil
}

// inBatch reports whether an offset is in the batch with that first offset.
func (r *Reader) inBatch(ctx context.Context, from place, base, offset int64) (bool, error) {
	found, err := r.fetch(ctx, from, offset, probeBytes, probeWait)
	if errors.Is(err, kafkago.OffsetOutOfRange) {
		return false, nil // after the end of the topic
	}
	return err == nil && found.base == base, err
}
