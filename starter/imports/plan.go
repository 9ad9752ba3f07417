package imports

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/pinflow/pinflow/internal/bucket"
	"github.com/pinflow/pinflow/internal/clients/s3"
	"github.com/pinflow/pinflow/internal/dates"
)

// Limits of an imported object, those of landed ones: the size of its sources, and their number.
const (
	maxObjectBytes = 16 << 20
	maxObjectFiles = 50_000
)

// plan says which objects of the old pipeline go into which imported object. It is written before
// anything is imported, and never changed: whoever continues an import that was interrupted writes
// the same objects, and an object of a plan is not planned again.
type plan struct {
	From    string   `json:"from"`
	Targets []target `json:"-"` // a line each, after that of the plan
}

// target is an imported object.
type target struct {
	Name      string     `json:"name"` // within the names of the topic, date and partition
	Topic     string     `json:"topic"`
	Date      dates.Date `json:"date"`
	Partition int        `json:"partition"`
	Sources   []source   `json:"sources"`
}

// source is an object of the old pipeline, with its time in milliseconds.
type source struct {
	Key      string `json:"key"`
	Size     int64  `json:"size"`
	Modified int64  `json:"modified"`
	ETag     string `json:"etag"`
	Offset   int64  `json:"offset"`

	from, into string // topics: that of the old pipeline, and that into which it is imported
	partition  int
}

func newSource(object s3.SourceObject, at place, into string) source {
	return source{
		Key: object.Key, Size: object.Size, Modified: object.Modified.UnixMilli(), ETag: object.ETag, Offset: at.offset,
		from: at.topic, into: into, partition: at.partition,
	}
}

// date returns the logical date of the records: the one that was asked for, or that of the object's
// time.
func (s source) date(asDate dates.Date) dates.Date {
	if asDate != "" {
		return asDate
	}
	return dates.Of(time.UnixMilli(s.Modified))
}

// version tells a source from one that had the same key before.
func (s source) version() string { return s.Key + "\x00" + s.ETag + "\x00" + fmt.Sprint(s.Size) }

func (s source) listed() s3.SourceObject {
	return s3.SourceObject{Key: s.Key, Size: s.Size, ETag: s.ETag, Modified: time.UnixMilli(s.Modified)}
}

// plansPrefix returns the folder of the plans of a source.
func plansPrefix(id string) string { return "imports/" + id + "/" }

func planKey(id string, number int) string {
	return fmt.Sprintf("%splan-%06d.json.gz", plansPrefix(id), number)
}

// newPlan distributes sources over imported objects: each has sources of one topic and partition of
// the old pipeline and of one date, in the order of their offsets, or of their times if they have
// none.
func newPlan(from, id string, number int, sources []source, asDate dates.Date, maxBytes int) plan {
	slices.SortFunc(sources, func(a, b source) int {
		return cmp.Or(strings.Compare(string(a.date(asDate)), string(b.date(asDate))), strings.Compare(a.from, b.from), cmp.Compare(a.partition, b.partition),
			cmp.Compare(a.Offset, b.Offset), cmp.Compare(a.Modified, b.Modified), strings.Compare(a.Key, b.Key))
	})
	p := plan{From: from}
	var size int64
	for i, s := range sources {
		date := s.date(asDate)
		if i > 0 {
			before, last := sources[i-1], &p.Targets[len(p.Targets)-1]
			if last.Date == date && before.from == s.from && last.Partition == s.partition &&
				size+s.Size <= int64(maxBytes) && len(last.Sources) < maxObjectFiles {
				last.Sources, size = sources[i-len(last.Sources):i+1], size+s.Size
				continue
			}
		}
		name := fmt.Sprintf("%s-%d-%06d", id, number, len(p.Targets)+1)
		p.Targets = append(p.Targets, target{Name: name, Topic: s.into, Date: date, Partition: s.partition, Sources: sources[i : i+1]})
		size = s.Size
	}
	return p
}

// errPlanned is the error of a plan that another import has written in the meantime.
var errPlanned = errors.New("another import of the same address has begun: wait for its end, then run the command again to import what is left")

// writePlan writes a new plan.
func writePlan(ctx context.Context, objects bucket.Objects, id string, number int, p plan) error {
	var body bytes.Buffer
	packed := gzip.NewWriter(&body)
	lines := json.NewEncoder(packed)
	err := lines.Encode(plan{From: p.From})
	for _, t := range p.Targets {
		err = errors.Join(err, lines.Encode(t))
	}
	if err := errors.Join(err, packed.Close()); err != nil {
		return err
	}
	err = objects.Put(ctx, bucket.PutInput{Key: planKey(id, number), Body: body.Bytes(), ContentType: "application/gzip", OnlyNew: true})
	if errors.Is(err, bucket.ErrExists) {
		return errPlanned
	}
	return s3.Classify(err)
}

// readPlans returns the plans of a source in the order of their numbers, which count from 1.
func readPlans(ctx context.Context, objects bucket.Objects, id string) ([]plan, error) {
	listed, err := objects.List(ctx, bucket.ListInput{Prefix: plansPrefix(id)})
	if err != nil {
		return nil, s3.Classify(err)
	}
	plans := make([]plan, len(listed))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(bucket.ParallelRequests)
	for i, object := range listed {
		if object.Key != planKey(id, i+1) {
			return nil, fmt.Errorf("%s is not plan %d of the import: restore it, because what a plan names is not imported again", objects.URI(object.Key), i+1)
		}
		group.Go(func() error {
			body, err := objects.Get(ctx, object.Key)
			if err != nil {
				return s3.Classify(err)
			}
			if plans[i], err = decodePlan(body); err != nil {
				return fmt.Errorf("cannot decode %s: restore it: %w", objects.URI(object.Key), err)
			}
			return nil
		})
	}
	return plans, group.Wait()
}

func decodePlan(body []byte) (p plan, err error) {
	unpacked, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return p, err
	}
	lines := json.NewDecoder(unpacked)
	err = lines.Decode(&p)
	for err == nil {
		var t target
		if err = lines.Decode(&t); err == nil {
			p.Targets = append(p.Targets, t)
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return p, err
}
