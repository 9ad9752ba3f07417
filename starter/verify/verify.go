// Package verify proves that no record is missing or doubled: from boundaries, manifests and objects
// in the bucket, the records that Kafka still has, and the rows of the tables. It changes and prints
// nothing.
package verify

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"

	kafkago "github.com/segmentio/kafka-go"
	"golang.org/x/sync/errgroup"

	"github.com/pinflow/pinflow/activities/landing"
	"github.com/pinflow/pinflow/internal/answers"
	"github.com/pinflow/pinflow/internal/bucket"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/notebooks"
)

// Kafka is what a verification needs of Kafka; see landing.Kafka.
type Kafka interface {
	Partitions(ctx context.Context, topic string) (int, error)
	FirstOffsets(ctx context.Context, topic string, partitions int) ([]int64, error)
	StableOffsets(ctx context.Context, topic string, partitions int) ([]int64, error)
	Fetch(ctx context.Context, topic string, partition int, offset int64, maxBytes int) (records []kafkago.Message, next int64, err error)
}

// objectsAtOnce limits the objects that are in memory at the same time.
const objectsAtOnce = 4

// Verifier verifies dates.
type Verifier struct {
	Objects bucket.Objects
	// Kafka is nil if the records of Kafka are not compared, Warehouse if the tables are not counted.
	Kafka     Kafka
	Warehouse *answers.Warehouse
	// WhyNoTables says why there is no Warehouse.
	WhyNoTables string
	// Topics holds the names of the topics. Those in Optional need not exist.
	Topics, Optional []string
	// Cleaned holds the topics of each kind of record that is cleaned: the tables of silver.
	Cleaned map[string][]string
	// Notebooks holds the notebooks of this build: their rules tell older records from missing ones.
	Notebooks []notebooks.Notebook
	// Params returns the parameters of the latest run of a date; InvalidFollowers is that of a run
	// without. Both decide which records cleaning rejects.
	Params           func(context.Context, dates.Date) (map[string]string, error)
	InvalidFollowers string
	// WarnOfGaps reports whether offsets that Kafka lost before they landed are no problem, although
	// nobody has accepted that.
	WarnOfGaps bool
	// Command returns the command line of a subcommand, for hints.
	Command func(args string) string
	// Progress is told how many steps of how many are done, and what is being verified.
	Progress func(done, total int64, what string)

	mu          sync.Mutex
	done, total int64
}

// Dates returns the dates of which something has landed, or that lie between two that have.
func (v *Verifier) Dates(ctx context.Context) ([]dates.Date, error) {
	var all []dates.Date
	for _, topic := range v.Topics {
		found, err := v.stored(topic).Dates(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

func (v *Verifier) stored(topic string) landing.Stored {
	return landing.Stored{Objects: v.Objects, Topic: topic}
}

// Verify verifies dates. The error is that of a system without which nothing can be said; lost is
// that of one without which the report has gaps, which it names.
func (v *Verifier) Verify(ctx context.Context, days []dates.Date) (report Report, lost error, err error) {
	var all []*day
	for _, date := range days {
		for _, topic := range v.Topics {
			all = append(all, &day{Verifier: v, date: date, topic: topic, stored: v.stored(topic)})
		}
	}
	reading, gathering := errgroup.WithContext(ctx)
	reading.SetLimit(bucket.ParallelRequests)
	for _, d := range all {
		reading.Go(func() error { return d.read(gathering) })
	}
	if err := reading.Wait(); err != nil {
		return Report{}, nil, err
	}
	for _, d := range all {
		v.total += int64(len(d.objects) + len(d.imported))
		d.landed.State = Complete
		if d.manifest == nil && len(d.objects) == 0 {
			d.landed.State = NotLanded
		}
	}
	all = slices.DeleteFunc(all, func(d *day) bool { return d.absent() })
	if v.Warehouse != nil {
		v.total += int64(len(v.batches(all)))
	}
	logs := &logs{kafka: v.Kafka}
	places := make(chan struct{}, objectsAtOnce)
	group, checking := errgroup.WithContext(ctx)
	group.SetLimit(bucket.ParallelRequests)
	for _, d := range all {
		group.Go(func() error { return d.check(checking, logs, places) })
	}
	if err := group.Wait(); err != nil {
		return Report{}, nil, err
	}
	lost = logs.lost
	if v.Warehouse != nil {
		lost = errors.Join(lost, v.tables(ctx, all))
	}
	return v.report(all), lost, nil
}

// report joins what was found.
func (v *Verifier) report(all []*day) Report {
	report := Report{Topics: []Landed{}, Lost: []Lost{}, Problems: []Problem{}, Unchecked: []Unchecked{}}
	for _, d := range all {
		slices.SortStableFunc(d.problems, func(a, b Problem) int {
			return cmp.Or(compareOptional(a.Partition, b.Partition), compareOptional(a.Offset, b.Offset))
		})
		d.landed.Problems = len(d.problems)
		report.Topics = append(report.Topics, d.landed)
		report.Lost = append(report.Lost, d.lost...)
		report.Problems = append(report.Problems, d.problems...)
		report.Unchecked = append(report.Unchecked, d.unchecked...)
	}
	if len(all) > 0 && v.Kafka == nil {
		report.Unchecked = append(report.Unchecked, Unchecked{What: byKafka, Why: "skipped"})
	}
	if len(all) > 0 && v.Warehouse == nil {
		report.Unchecked = append(report.Unchecked, Unchecked{What: byTables, Why: v.WhyNoTables})
	}
	report.Proven = len(report.Problems) == 0 && len(report.Unchecked) == 0
	return report
}

// compareOptional orders numbers, of which those that are not known come first.
func compareOptional[T cmp.Ordered](a, b *T) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return -1
	case b == nil:
		return 1
	}
	return cmp.Compare(*a, *b)
}

// step reports that a step is done.
func (v *Verifier) step(what string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.done++
	if v.Progress != nil {
		v.Progress(v.done, v.total, what)
	}
}
