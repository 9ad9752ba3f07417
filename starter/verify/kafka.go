package verify

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"github.com/pinflow/pinflow/activities/landing"
	"github.com/pinflow/pinflow/internal/clients/kafka"
	"github.com/pinflow/pinflow/internal/pause"
)

const (
	// fetchBytes is the size of one fetch.
	fetchBytes = 4 << 20
	// fetchAttempts and fetchPause limit the retries of a request.
	fetchAttempts = 5
	fetchPause    = 200 * time.Millisecond
)

// logs knows which offsets Kafka has of the topics.
type logs struct {
	kafka Kafka
	mu    sync.Mutex
	known map[string]*log
	lost  error // why Kafka could not be asked
}

// log is what Kafka has of a topic, by partition; why says why it has nothing.
type log struct {
	first, end []int64
	why        string
}

// of returns what Kafka has of a topic.
func (l *logs) of(ctx context.Context, topic string) *log {
	l.mu.Lock()
	defer l.mu.Unlock()
	if found, ok := l.known[topic]; ok {
		return found
	}
	found := &log{}
	err := retry(ctx, func() (err error) {
		partitions, err := l.kafka.Partitions(ctx, topic)
		if err != nil {
			return err
		}
		if found.first, err = l.kafka.FirstOffsets(ctx, topic, partitions); err != nil {
			return err
		}
		found.end, err = l.kafka.StableOffsets(ctx, topic, partitions)
		return err
	})
	switch {
	case errors.Is(err, kafka.ErrUnknownTopic):
		found.why = "Kafka does not have the topic any more"
	case err != nil:
		l.lost = kafka.Classify(err)
		found.why = "Kafka: " + l.lost.Error()
	}
	if l.known == nil {
		l.known = map[string]*log{}
	}
	l.known[topic] = found
	return found
}

// retry makes a request until it succeeds or has failed too often.
func retry(ctx context.Context, request func() error) error {
	for attempt := 1; ; attempt++ {
		err := request()
		if err == nil || attempt == fetchAttempts || ctx.Err() != nil || errors.Is(err, kafkago.OffsetOutOfRange) || errors.Is(err, kafka.ErrUnknownTopic) {
			return err
		}
		_ = pause.For(ctx, fetchPause*time.Duration(attempt)) // the next attempt sees an ended context
	}
}

// byKafka is what is compared, and retention why some of it could not be.
const (
	byKafka   = "records in Kafka"
	retention = "Kafka's retention has deleted some or all of them"
)

// compareKafka compares the lines of an object with the records that Kafka has of its offsets: each
// has one line, at its time, and no line is without a record.
func (d *day) compareKafka(ctx context.Context, logs *logs, object landing.Object, lines []place) error {
	log := logs.of(ctx, d.topic)
	if log.why != "" {
		d.unproven(byKafka, log.why)
		return nil
	}
	if limit := d.logs.Limit(object.Partition, object.Generation); limit < object.End {
		d.unproven(byKafka, "the log from which they landed was replaced, and that was accepted")
		return nil
	}
	if object.Partition >= len(log.end) || log.end[object.Partition] < object.End {
		end := int64(0)
		if object.Partition < len(log.end) {
			end = log.end[object.Partition]
		}
		d.problem(Problem{Partition: &object.Partition, Offset: &end, Object: d.Objects.URI(object.Key),
			What: fmt.Sprintf("it has offsets up to %d, and the partition ends at %d in Kafka: the topic was deleted and created again, or lost records", object.End-1, end),
			Next: "the object is the only copy of its records: keep it; `" + d.Command("doctor") + "` says what Kafka has"})
		return nil
	}
	start := max(object.Start, log.first[object.Partition])
	if start > object.Start {
		d.unproven(byKafka, retention)
	}
	for len(lines) > 0 && lines[0].offset < start {
		lines = lines[1:]
	}
	c := comparison{lines: lines, last: -1}
	for start < object.End {
		var records []kafkago.Message
		var next int64
		err := retry(ctx, func() (err error) {
			records, next, err = d.Kafka.Fetch(ctx, d.topic, object.Partition, start, fetchBytes)
			if err == nil && next <= start {
				err = errors.New("Kafka returned no records, although the partition has later offsets")
			}
			return err
		})
		if errors.Is(err, kafkago.OffsetOutOfRange) {
			d.unproven(byKafka, retention)
			return nil
		}
		if err != nil {
			logs.fail(kafka.Classify(err))
			d.unproven(byKafka, "Kafka: "+kafka.Classify(err).Error())
			return nil
		}
		for _, record := range records {
			if record.Offset < object.End {
				c.next(record)
			}
		}
		start = next
	}
	c.end()
	d.found.Lock()
	d.landed.Kafka += c.compared
	d.found.Unlock()
	d.differences(object, &c)
	return nil
}

func (l *logs) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lost = err
}

// comparison compares the lines of an object, in order, with the records of Kafka. It keeps the
// offsets that differ.
type comparison struct {
	lines    []place
	last     int64 // offset of the last line that has a record
	compared int64
	missing  []int64 // records without a line
	extra    []int64 // lines without a record; a line that is there twice is reported as such
	other    []int64 // lines whose record has another time
}

// next compares the next record.
func (c *comparison) next(record kafkago.Message) {
	c.compared++
	for len(c.lines) > 0 && c.lines[0].offset < record.Offset {
		c.without()
	}
	if len(c.lines) == 0 || c.lines[0].offset > record.Offset {
		c.missing = append(c.missing, record.Offset)
		return
	}
	if c.lines[0].time != record.Time.UnixMilli() {
		c.other = append(c.other, record.Offset)
	}
	c.last, c.lines = record.Offset, c.lines[1:]
}

// without takes a line that has no record.
func (c *comparison) without() {
	if line := c.lines[0]; line.offset != c.last {
		c.extra = append(c.extra, line.offset)
	}
	c.lines = c.lines[1:]
}

// end ends the comparison: lines that are left have no record.
func (c *comparison) end() {
	for len(c.lines) > 0 {
		c.without()
	}
}

// differences reports how an object and Kafka differ.
func (d *day) differences(object landing.Object, c *comparison) {
	differs := func(offsets []int64, what, next string) {
		if len(offsets) > 0 {
			d.problem(Problem{Partition: &object.Partition, Offset: &offsets[0], Object: d.Objects.URI(object.Key),
				What: fmt.Sprintf(what, listOffsets(offsets)), Next: next})
		}
	}
	differs(c.missing, "the object has no line for %s, of which Kafka has a record", d.restoreObject())
	differs(c.extra, "the object has a line for %s, of which Kafka has no record",
		d.restoreObject()+". A topic with cleanup.policy=compact loses records after they have landed: set it to delete")
	differs(c.other, "Kafka has another record than the line at %s, by its time: the topic was deleted and created again, or the object was changed",
		"keep the object: it may be the only copy of its records")
}

// listOffsets names offsets, the first few of them.
func listOffsets(offsets []int64) string {
	texts := make([]string, len(offsets))
	for i, offset := range offsets {
		texts[i] = fmt.Sprint(offset)
	}
	if len(texts) == 1 {
		return "offset " + texts[0]
	}
	return "offsets " + some(texts)
}
