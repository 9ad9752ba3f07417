// Package imports brings a bucket as the pipeline before Pinflow left it into the layout of landed
// objects, so that its records are loaded and cleaned as those from Kafka are. It prints nothing.
package imports

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/pinflow/pinflow/internal/bucket"
	"github.com/pinflow/pinflow/internal/clients/s3"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/starter/exit"
)

// Source is the bucket of the old pipeline. *s3.Source is one.
type Source interface {
	URI(key string) string
	List(ctx context.Context, prefix string, page func([]s3.SourceObject) error) error
	// Open returns the content of an object as it was listed, or s3.ErrChanged.
	Open(ctx context.Context, object s3.SourceObject) (io.ReadCloser, error)
}

// Import is one call of `starter import`.
type Import struct {
	Source  Source
	Objects bucket.Objects
	Topics  Topics
	// AsDate is the logical date of all records; without it the date of an object's time in UTC.
	AsDate dates.Date
	// SkipOthers leaves out objects that the old pipeline does not write; otherwise they are an error.
	SkipOthers bool
	// Progress is called after each object of the old pipeline that has been read.
	Progress func(done, total int)

	objectBytes int           // limit of an imported object; maxObjectBytes if 0
	pause       time.Duration // before a second attempt to read a file; readPause if 0
}

// Topic is what is imported of one topic of the old pipeline.
type Topic struct {
	Topic string     `json:"topic"`
	Into  string     `json:"into"` // the topic in whose folder it is
	Files int        `json:"files"`
	Bytes int64      `json:"bytes"`
	From  dates.Date `json:"from"`
	To    dates.Date `json:"to"`
}

// Result says what is, or would be, imported. A file is an object of the old pipeline.
type Result struct {
	From   string  `json:"from"`
	Topics []Topic `json:"topics"`
	// Dates holds the logical dates that got records, of this call and of those that it has continued.
	Dates []dates.Date `json:"dates"`
	// Files and Bytes are new; Before files were imported before, and Continued ones were planned by an
	// import that was interrupted.
	Files     int   `json:"files"`
	Bytes     int64 `json:"bytes"`
	Before    int   `json:"before"`
	Continued int   `json:"continued"`
	// NotChosen counts the files of topics that --topic leaves out, Others those that the old pipeline
	// does not write.
	NotChosen int `json:"notChosen"`
	Others    int `json:"others"`
	// Records and Objects were written.
	Records int64 `json:"records"`
	Objects int   `json:"objects"`
	// Changed holds the files that have changed or are gone since they were listed.
	Changed []string `json:"changed"`
}

// Plan lists the source and returns what Run would import.
func (i *Import) Plan(ctx context.Context) (Result, error) {
	w, err := i.look(ctx)
	return w.result, err
}

// Run imports what is left. After an interruption it continues, and a second time it imports only
// what is new. Each record is in one imported object.
func (i *Import) Run(ctx context.Context) (Result, error) {
	w, err := i.look(ctx)
	if err != nil {
		return w.result, err
	}
	if len(w.new) > 0 {
		if err := w.writePlans(ctx); err != nil {
			return w.result, err
		}
	}
	return w.result, w.writeLeft(ctx)
}

// work is what is known of the source and of earlier imports of it.
type work struct {
	*Import
	id     string // of the source
	plans  []plan
	left   []target // of plans of before, not yet written
	new    []source
	result Result
}

// idLength is how much of the checksum of its address names a source: two of a deployment do not meet.
const idLength = 10

// look reads the earlier plans, and lists the source.
func (i *Import) look(ctx context.Context) (*work, error) {
	from := i.Source.URI("")
	sum := sha256.Sum256([]byte(from))
	w := &work{Import: i, id: hex.EncodeToString(sum[:])[:idLength]}
	w.result = Result{From: from, Topics: []Topic{}, Dates: []dates.Date{}, Changed: []string{}}
	var err error
	if w.plans, err = readPlans(ctx, i.Objects, w.id); err != nil {
		return w, err
	}
	if w.left, err = w.unwritten(ctx); err != nil {
		return w, err
	}
	for _, target := range w.left {
		w.result.Continued += len(target.Sources)
		w.result.Dates = append(w.result.Dates, target.Date)
	}
	if err := w.list(ctx); err != nil {
		return w, err
	}
	slices.Sort(w.result.Dates)
	w.result.Dates = slices.Compact(w.result.Dates)
	return w, nil
}

// list sorts the objects of the source out.
func (w *work) list(ctx context.Context) error {
	planned := map[string]bool{}
	for _, p := range w.plans {
		for _, target := range p.Targets {
			for _, source := range target.Sources {
				planned[source.version()] = true
			}
		}
	}
	var others, unknown []string
	found := map[string]bool{}
	for _, folder := range []string{topicsFolder, eventsFolder} {
		err := w.Source.List(ctx, folder, func(page []s3.SourceObject) error {
			for _, object := range page {
				at, ok := locate(object.Key)
				if !ok {
					if !strings.HasSuffix(object.Key, "/") { // consoles create such folders
						others = append(others, object.Key)
					}
					continue
				}
				found[at.topic] = true
				into, wanted := w.Topics.target(at.topic)
				switch s := newSource(object, at, into); {
				case !wanted:
					w.result.NotChosen++
				case into == "":
					if !slices.Contains(unknown, at.topic) {
						unknown = append(unknown, at.topic)
					}
				case planned[s.version()]:
					w.result.Before++
				default:
					w.add(s)
				}
			}
			return nil
		})
		if err != nil {
			return s3.Classify(err)
		}
	}
	w.result.Before -= w.result.Continued
	w.result.Others = len(others)
	return w.check(others, unknown, found)
}

// check returns an error if something in the source would be left out without a word.
func (w *work) check(others, unknown []string, found map[string]bool) error {
	if missing := w.Topics.missing(found); len(missing) > 0 {
		return exit.Usagef("--topic %s: %s has no such topic; it has %s", strings.Join(missing, ", "), w.result.From, orNone(found))
	}
	if len(found) == 0 && len(others) == 0 {
		return exit.Usagef("--raw %s: it has nothing below topics/ and events/", w.result.From)
	}
	if len(unknown) > 0 {
		return exit.Usagef("the kind of record of topic %s is unknown: name it, as in --topic %s=pin (kinds are %s), or choose other topics with --topic",
			strings.Join(unknown, ", "), unknown[0], strings.Join(Kinds, ", "))
	}
	if len(others) > 0 && !w.SkipOthers {
		const some = 3
		return exit.Usagef("%s has objects that the old pipeline does not write (%d), such as %s: look at them, and leave them out with --skip-others",
			w.result.From, len(others), strings.Join(others[:min(some, len(others))], ", "))
	}
	return nil
}

func orNone(found map[string]bool) string {
	var names []string
	for name := range found {
		names = append(names, name)
	}
	slices.Sort(names)
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// add notes a source that is new.
func (w *work) add(s source) {
	w.new = append(w.new, s)
	w.result.Files++
	w.result.Bytes += s.Size
	date := s.date(w.AsDate)
	at := slices.IndexFunc(w.result.Topics, func(t Topic) bool { return t.Topic == s.from })
	if at < 0 {
		at = len(w.result.Topics)
		w.result.Topics = append(w.result.Topics, Topic{Topic: s.from, Into: s.into, From: date, To: date})
	}
	t := &w.result.Topics[at]
	t.Files++
	t.Bytes += s.Size
	t.From, t.To = min(t.From, date), max(t.To, date)
	if !slices.Contains(w.result.Dates, date) {
		w.result.Dates = append(w.result.Dates, date)
	}
}

// planFiles limits the files of one plan.
const planFiles = 100_000

// writePlans writes what is new down, before anything of it is imported.
func (w *work) writePlans(ctx context.Context) error {
	number := len(w.plans) + 1
	all := newPlan(w.result.From, w.id, number, w.new, w.AsDate, w.limit())
	for rest := all.Targets; len(rest) > 0; number++ {
		count, files := 0, 0
		for count < len(rest) && (count == 0 || files+len(rest[count].Sources) <= planFiles) {
			files += len(rest[count].Sources)
			count++
		}
		if err := writePlan(ctx, w.Objects, w.id, number, plan{From: all.From, Targets: rest[:count]}); err != nil {
			return err
		}
		w.left = append(w.left, rest[:count]...)
		rest = rest[count:]
	}
	return nil
}

func (i *Import) limit() int { return cmp.Or(i.objectBytes, maxObjectBytes) }

// Written reports whether something was, or would be, imported.
func (r Result) Written() bool { return r.Files+r.Continued > 0 }

// Commands returns the commands that run the dates, in their order.
func (r Result) Commands() []string {
	if len(r.Dates) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("backfill --from %s --to %s --reprocess all", r.Dates[0], r.Dates[len(r.Dates)-1])}
}
