package imports

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/pinflow/pinflow/activities/landing"
	"github.com/pinflow/pinflow/internal/bucket"
	"github.com/pinflow/pinflow/internal/clients/fault"
	"github.com/pinflow/pinflow/internal/clients/s3"
	"github.com/pinflow/pinflow/internal/envelope"
)

const (
	// parallelReads is how many files are read at the same time.
	parallelReads = 48
	// filesAhead and bytesAhead limit what has been read and waits for its turn: files are written in
	// their order, and one that takes long must not stop the others.
	filesAhead = 4096
	bytesAhead = 32 << 20
	// maxAhead is the size up to which a file is read ahead; a larger one is read when it is its turn.
	maxAhead = 4 << 20
	// readAttempts is how often a file is read whose connection breaks.
	readAttempts = 4
	readPause    = 200 * time.Millisecond
)

// key returns the key of a target's first part. It is written last: the target is complete with it.
func (t target) key() string { return landing.ImportedKey(t.Topic, t.Date, t.Partition, t.Name) }

// unwritten returns the targets of the plans that are not complete.
func (w *work) unwritten(ctx context.Context) ([]target, error) {
	var all []target
	for _, p := range w.plans {
		all = append(all, p.Targets...)
	}
	there := make([]bool, len(all))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(bucket.ParallelRequests)
	for i, target := range all {
		group.Go(func() error {
			_, err := w.Objects.Head(ctx, target.key())
			there[i] = err == nil
			if errors.Is(err, bucket.ErrNotFound) {
				return nil
			}
			return s3.Classify(err)
		})
	}
	err := group.Wait()
	var left []target
	for i, target := range all {
		if !there[i] {
			left = append(left, target)
		}
	}
	return left, err
}

// writeLeft writes the targets that are left, in their order.
func (w *work) writeLeft(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var readers sync.WaitGroup
	defer readers.Wait() // no request outlives the import
	defer cancel()
	total := 0
	for _, target := range w.left {
		total += len(target.Sources)
	}
	ahead := w.readAhead(ctx, &readers)
	done := 0
	for _, target := range w.left {
		out := &writer{work: w, target: target, lines: envelope.New(target.Topic, target.Partition), next: -1}
		for _, source := range target.Sources {
			place, ok := <-ahead
			if !ok {
				return context.Cause(ctx)
			}
			read := <-place
			if err := w.importFile(ctx, out, source, read); err != nil {
				return err
			}
			read.done()
			done++
			w.Progress(done, total)
		}
		if err := out.end(ctx); err != nil {
			return err
		}
	}
	return nil
}

// file is the content of a file that was read ahead, or the error of that. The content of a large file
// is nil. Its receiver calls done.
type file struct {
	content []byte
	err     error
	done    func()
}

// readAhead reads the files of all targets in their order, some at the same time.
func (w *work) readAhead(ctx context.Context, readers *sync.WaitGroup) <-chan chan file {
	queue := make(chan chan file, filesAhead)
	room, reads := semaphore.NewWeighted(bytesAhead), make(chan struct{}, parallelReads)
	readers.Go(func() {
		defer close(queue)
		for _, target := range w.left {
			for _, source := range target.Sources {
				place := make(chan file, 1)
				if source.Size <= maxAhead && room.Acquire(ctx, source.Size) != nil {
					return
				}
				select {
				case queue <- place:
				case <-ctx.Done():
					return
				}
				if source.Size > maxAhead {
					place <- file{done: func() {}}
					continue
				}
				reads <- struct{}{}
				readers.Go(func() {
					content, err := w.read(ctx, source)
					<-reads
					place <- file{content, err, func() { room.Release(source.Size) }}
				})
			}
		}
	})
	return queue
}

// readTimeout limits one attempt to read a file ahead.
const readTimeout = time.Minute

func (w *work) read(ctx context.Context, source source) (content []byte, err error) {
	for attempt := 1; ; attempt++ {
		content, err = w.readOnce(ctx, source)
		if err == nil || errors.Is(err, s3.ErrChanged) || attempt == readAttempts || ctx.Err() != nil {
			return content, err
		}
		select {
		case <-time.After(time.Duration(attempt) * cmp.Or(w.pause, readPause)):
		case <-ctx.Done():
		}
	}
}

func (w *work) readOnce(ctx context.Context, source source) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	body, err := w.Source.Open(ctx, source.listed())
	if err != nil {
		return nil, err
	}
	defer body.Close()
	content := bytes.NewBuffer(make([]byte, 0, source.Size+bytes.MinRead))
	_, err = content.ReadFrom(body)
	return content.Bytes(), err
}

// importFile appends the records of a file.
func (w *work) importFile(ctx context.Context, out *writer, source source, read file) error {
	var content io.Reader = bytes.NewReader(read.content)
	err := read.err
	if source.Size > maxAhead {
		var body io.ReadCloser
		if body, err = w.Source.Open(ctx, source.listed()); err == nil {
			defer body.Close()
			content = body
		}
	}
	if errors.Is(err, s3.ErrChanged) {
		w.result.Changed = append(w.result.Changed, source.Key)
		return nil
	}
	if err != nil {
		return s3.Classify(err)
	}
	offset := source.Offset
	err = eachRecord(content, func(record []byte) error {
		offset++
		return out.add(ctx, kafkago.Message{Offset: offset - 1, Time: time.UnixMilli(source.Modified), Value: record})
	})
	switch {
	case err == nil || ctx.Err() != nil:
		return err
	case fault.KindOf(s3.Classify(err)) != fault.Unknown:
		return s3.Classify(err)
	default:
		return fmt.Errorf("cannot read the records of %s: restore it, or move it away, and run the command again: it continues there: %w", w.Source.URI(source.Key), err)
	}
}

// writer writes the parts of a target.
type writer struct {
	*work
	target target
	lines  *envelope.Envelope
	next   int64 // the offset after that of the last record; -1 before the first
	part   part
	first  *part // the first part, if there are others
	parts  int
}

// part is an object of lines.
type part struct {
	body       []byte
	start, end int64
	records    int64
}

// add appends a record. Places are unique within a target: a record whose file overlaps the one before
// it gets the next offset.
func (o *writer) add(ctx context.Context, record kafkago.Message) error {
	record.Offset = max(record.Offset, o.next)
	o.next = record.Offset + 1
	full := len(o.part.body)
	body := o.lines.Append(o.part.body, record)
	if o.part.records > 0 && (len(body) > o.limit() || o.part.records == maxObjectFiles) {
		line := bytes.Clone(body[full:])
		o.part.body = body[:full]
		if err := o.cut(ctx); err != nil {
			return err
		}
		body = append(o.part.body, line...)
	}
	if o.part.records == 0 {
		o.part.start = record.Offset
	}
	o.part.body, o.part.end = body, o.next
	o.part.records++
	return nil
}

// cut ends a part: the first one is kept to be written last.
func (o *writer) cut(ctx context.Context) error {
	o.parts++
	if o.parts == 1 {
		first := o.part
		o.first, o.part = &first, part{}
		return nil
	}
	name := fmt.Sprintf("%s-%d", o.target.Name, o.parts)
	if err := o.put(ctx, landing.ImportedKey(o.target.Topic, o.target.Date, o.target.Partition, name), o.part); err != nil {
		return err
	}
	o.part = part{body: o.part.body[:0]}
	return nil
}

// end writes what is left.
func (o *writer) end(ctx context.Context) error {
	if o.first == nil {
		return o.put(ctx, o.target.key(), o.part)
	}
	if err := o.cut(ctx); err != nil {
		return err
	}
	return o.put(ctx, o.target.key(), *o.first)
}

// put writes an object. Another import that has continued the same plan may have written it.
func (o *writer) put(ctx context.Context, key string, p part) error {
	object := landing.Object{Key: key, Partition: o.target.Partition, Start: p.start, End: p.end, Records: p.records}
	err := landing.PutImported(ctx, o.Objects, object, p.body)
	if errors.Is(err, bucket.ErrExists) {
		err = o.compare(ctx, object, p.body)
	}
	if err != nil {
		return s3.Classify(err)
	}
	o.result.Records += p.records
	o.result.Objects++
	return nil
}

// compare returns an error if an object that exists has other records: then a file has changed since
// it was written, and it is unknown what is in its other parts.
func (o *writer) compare(ctx context.Context, object landing.Object, body []byte) error {
	written, err := landing.HeadImported(ctx, o.Objects, object)
	if err == nil && written.SHA256 != landing.Checksum(body) {
		err = fmt.Errorf("%s has other records: files of it have changed since an import that was interrupted wrote it. Delete the objects %s*, and run the command again",
			o.Objects.URI(object.Key), o.Objects.URI(strings.TrimSuffix(o.target.key(), ".json")))
	}
	return err
}
