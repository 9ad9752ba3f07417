package landing

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/pinflow/pinflow/internal/bucket"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/failure"
)

// PreviewInput selects what to preview.
type PreviewInput struct {
	// Topic is the full name of the topic.
	Topic string
	Date  dates.Date
	// Now decides whether the date is over. The real plan asks the Temporal server's clock.
	Now time.Time
}

// Preview is what landing a topic and date would do now.
type Preview struct {
	Topic   string     `json:"topic"`
	Date    dates.Date `json:"date"`
	Partial bool       `json:"partial"`
	Until   time.Time  `json:"until"`
	// Left counts the offsets that are left to land and that Kafka has, Lost those of the date that it
	// lost before they landed.
	Left       int64              `json:"left"`
	Lost       int64              `json:"lost"`
	Partitions []PreviewPartition `json:"partitions"`
	// Unplanned holds the partitions of which retention had deleted everything before the date when the
	// topic was first planned: records of the date may be missing.
	Unplanned []int `json:"unplanned,omitempty"`
	// Refused is why the date would not land; empty if it would, or if that is not known.
	Refused string `json:"refused,omitempty"`
}

// PreviewPartition is what has landed of a partition, and what would.
type PreviewPartition struct {
	// Range is what is left, with the lost offsets within it.
	Range
	// Objects and Records count what has landed.
	Objects int   `json:"objects"`
	Records int64 `json:"records"`
	// Gone is what Kafka had lost when the others landed.
	Gone []Lost `json:"gone,omitempty"`
}

// PreviewLanding returns what landing a topic and date would do. It plans as PlanLanding does, and
// changes nothing: it fixes no boundaries and writes no objects. The error for a topic that does not
// exist is kafka.ErrUnknownTopic.
func PreviewLanding(ctx context.Context, kafka Kafka, objects bucket.Objects, in PreviewInput) (Preview, error) {
	l := &Activities{Kafka: kafka, Objects: &overlay{Objects: objects, written: map[string]bucket.PutInput{}}}
	preview := Preview{Topic: in.Topic, Date: in.Date, Partial: !in.Date.Over(in.Now), Until: in.Date.End(), Partitions: []PreviewPartition{}}
	if preview.Partial {
		preview.Until = in.Now
	}
	partitions, err := kafka.Partitions(ctx, in.Topic)
	if err != nil {
		return preview, kafkaError(ctx, "get the partitions of "+in.Topic, err)
	}
	plan, err := l.plan(ctx, in.Topic, in.Date, partitions, in.Now)
	if replaced, ok := asReplaced(err); ok {
		err = replaced.final(PlanInput{Date: in.Date})
	}
	var final *temporal.ApplicationError
	if errors.As(err, &final) && final.NonRetryable() && final.Type() != failure.AccessDenied {
		preview.Refused = final.Message()
	}
	if err != nil {
		return preview, err
	}
	landed, err := l.landed(ctx, in.Topic, in.Date, datePrefix(in.Topic, in.Date))
	if err != nil {
		return preview, err
	}
	for _, r := range plan.Ranges {
		preview.add(r, ofGeneration(landed[r.Partition], r.Generation))
	}
	starts, err := (&boundaries{objects: l.Objects, topic: in.Topic}).read(ctx, in.Date.Add(-1))
	for partition := range starts.partitions() {
		if starts[partition].deleted() > 0 {
			preview.Unplanned = append(preview.Unplanned, partition)
		}
	}
	return preview, err
}

// add adds a range, and what has landed of its partition and generation.
func (p *Preview) add(r Range, landed []Object) {
	one := PreviewPartition{Range: r, Gone: lostOf(landed)}
	for _, object := range landed {
		if object.Lost == "" && !object.Empty {
			one.Objects++
			one.Records += object.Records
		}
	}
	p.Left += r.End - r.Start
	for _, lost := range r.Lost {
		p.Left -= lost.Offsets()
	}
	for _, lost := range slices.Concat(r.Lost, one.Gone) {
		p.Lost += lost.Offsets()
	}
	p.Partitions = append(p.Partitions, one)
}

// overlay is a bucket whose writes stay in memory.
type overlay struct {
	bucket.Objects
	mu      sync.Mutex
	written map[string]bucket.PutInput
}

// Put keeps an object.
func (o *overlay) Put(_ context.Context, in bucket.PutInput) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, exists := o.written[in.Key]; exists && in.OnlyNew {
		return bucket.ErrExists
	}
	o.written[in.Key] = in
	return nil
}

// Get returns an object that was kept, or that of the bucket.
func (o *overlay) Get(ctx context.Context, key string) ([]byte, error) {
	o.mu.Lock()
	in, ok := o.written[key]
	o.mu.Unlock()
	if ok {
		return in.Body, nil
	}
	return o.Objects.Get(ctx, key)
}

// List lists the objects of both.
func (o *overlay) List(ctx context.Context, list bucket.ListInput) ([]bucket.Object, error) {
	whole := bucket.ListInput{Prefix: list.Prefix, After: list.After, Before: list.Before}
	all, err := o.Objects.List(ctx, whole)
	if err != nil {
		return nil, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for key, in := range o.written {
		if strings.HasPrefix(key, list.Prefix) && key > list.After && (list.Before == "" || key < list.Before) {
			all = append(all, bucket.Object{Key: key, Size: int64(len(in.Body))})
		}
	}
	slices.SortFunc(all, func(a, b bucket.Object) int { return strings.Compare(a.Key, b.Key) })
	if list.Limit > 0 && len(all) > list.Limit {
		all = all[:list.Limit]
	}
	return all, nil
}
