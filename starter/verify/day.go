package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/pinflow/pinflow/activities/landing"
	"github.com/pinflow/pinflow/internal/bucket"
	"github.com/pinflow/pinflow/internal/clients/s3"
	"github.com/pinflow/pinflow/internal/dates"
)

// day is a topic and date that is verified.
type day struct {
	*Verifier
	date   dates.Date
	topic  string
	stored landing.Stored

	starts, ends map[int]landing.Mark // the boundaries; nil if they are not fixed
	logs         landing.Logs
	manifest     *landing.Manifest
	listed       map[string]landing.Object // the object of the manifest, by key
	objects      []landing.Object
	imported     []landing.Object // those of `starter import`
	other        []string         // keys that landing does not write

	keepsInvalid bool // whether its latest run had invalid_followers=null

	found     sync.Mutex
	landed    Landed
	contents  map[string]content // by key
	damaged   map[string]bool    // whether the content is not what landed, by key
	problems  []Problem
	unchecked []Unchecked
	lost      []Lost
}

// read reads all that is small. The manifest is read before the objects are listed: a run that lands
// at the same time adds objects, and lists them in the manifest afterwards.
func (d *day) read(ctx context.Context) error {
	d.landed = Landed{Date: d.date, Topic: d.topic}
	d.contents, d.damaged = map[string]content{}, map[string]bool{}
	var err error
	if d.logs, err = d.stored.Logs(ctx); err != nil {
		return err
	}
	if d.starts, err = d.boundary(ctx, d.date.Add(-1)); err != nil {
		return err
	}
	if d.ends, err = d.boundary(ctx, d.date); err != nil {
		return err
	}
	manifest, err := d.stored.Manifest(ctx, d.date)
	switch key := d.stored.ManifestKey(d.date); {
	case errors.Is(err, bucket.ErrNotFound):
	case errors.Is(err, landing.ErrDecode):
		d.problem(Problem{Object: d.Objects.URI(key), What: "the manifest was damaged: " + err.Error(), Next: d.runAgain() + " writes it again"})
	case err != nil:
		return s3.Classify(err)
	default:
		d.manifest = &manifest
	}
	if d.objects, d.other, err = d.stored.List(ctx, d.date); err != nil {
		return s3.Classify(err)
	}
	if d.imported, err = d.stored.Imported(ctx, d.date); err != nil {
		return s3.Classify(err)
	}
	d.listed = map[string]landing.Object{}
	if d.manifest != nil {
		for _, partition := range d.manifest.Partitions {
			for _, object := range partition.Objects {
				d.listed[object.Key] = object
			}
		}
	}
	d.readParams(ctx)
	return nil
}

// readParams reads the parameters of the latest run, which say what cleaning rejects.
func (d *day) readParams(ctx context.Context) {
	if d.Warehouse == nil || d.Params == nil {
		return
	}
	params, err := d.Params(ctx, d.date)
	if err != nil {
		d.unproven("parameters of the latest run", err.Error())
	}
	d.keepsInvalid = cmp.Or(params["invalid_followers"], d.InvalidFollowers) == "null"
	if schema := params["schema"]; schema != "" && schema != d.Warehouse.Schema {
		d.unproven(byTables, "the latest run wrote to schema "+schema)
	}
}

// boundary returns a boundary, or nil if it is not fixed or cannot be read.
func (d *day) boundary(ctx context.Context, date dates.Date) (map[int]landing.Mark, error) {
	fixed, err := d.stored.Boundary(ctx, date)
	switch {
	case errors.Is(err, bucket.ErrNotFound):
		return nil, nil
	case err == nil:
		return fixed, nil
	case errors.Is(err, landing.ErrDecode):
		d.problem(Problem{Object: d.boundaryURI(date), What: "the boundary was damaged: " + err.Error(), Next: restoreBoundary})
		return nil, nil
	}
	return nil, s3.Classify(err)
}

// check checks everything of the topic and date.
func (d *day) check(ctx context.Context, logs *logs, places chan struct{}) error {
	for _, key := range d.other {
		d.problem(Problem{Object: d.Objects.URI(key), What: "landing has not written this object, and load reads it", Next: "move it out of the folder"})
	}
	if err := d.checkImported(ctx, places); err != nil {
		return err
	}
	switch {
	case d.manifest == nil && len(d.objects) == 0:
		d.checkNotLanded()
		return nil
	case d.manifest == nil:
		d.landed.State = Partial
		d.problem(Problem{Object: d.Objects.URI(d.stored.ManifestKey(d.date)), What: "objects have landed, and there is no manifest: the load of the date has not finished, or the manifest was deleted",
			Next: "if no run of the date is running, " + d.runAgain() + " writes it"})
	case d.manifest.Partial:
		d.landed.State, d.landed.Until = Partial, &d.manifest.Until
	default:
		d.landed.State = Complete
	}
	if err := d.readObjects(ctx, logs, places); err != nil {
		return err
	}
	d.checkManifest()
	d.checkLost()
	for _, log := range d.chains() {
		d.checkChain(log.partition, log.generation)
	}
	return nil
}

// readObjects reads the metadata and the content of all objects, and compares them with Kafka.
func (d *day) readObjects(ctx context.Context, logs *logs, places chan struct{}) error {
	group, ctx := errgroup.WithContext(ctx)
	for i := range d.objects {
		group.Go(func() error {
			select {
			case places <- struct{}{}:
				defer func() { <-places }()
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			defer d.step(fmt.Sprintf("%s %s", d.date, d.topic))
			return d.checkObject(ctx, i, logs)
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, object := range d.objects {
		d.landed.Objects++
		d.landed.Records += int64(d.contents[object.Key].lines)
		d.landed.Bytes += object.Bytes
	}
	return nil
}

// checkNotLanded looks at the boundaries of a date of which nothing has landed: they say whether it
// has records.
func (d *day) checkNotLanded() {
	d.landed.State = NotLanded
	if d.ends != nil && len(d.starts) == 0 && !slices.ContainsFunc(slices.Collect(maps.Values(d.ends)), func(end landing.Mark) bool { return end.Offset > 0 }) {
		return // the topic was created later
	}
	if d.starts == nil || d.ends == nil {
		d.unproven("all", "nothing of it has landed, and its boundaries are not fixed, so that it is unknown which records it has: "+d.runAgain()+" lands them")
		return
	}
	for _, partition := range slices.Sorted(maps.Keys(d.ends)) {
		end := d.ends[partition]
		if start := d.logs.Start(partition, end.Generation, d.starts[partition]); start < end.Offset {
			d.problem(Problem{Partition: &partition, Offset: &start, What: offsetsText(start, end.Offset) + " have not landed: the date has no objects and no manifest",
				Next: d.runAgain() + " lands them"})
		}
	}
}

// absent reports whether the topic is optional and did not exist when the date ran.
func (d *day) absent() bool {
	return d.landed.State == NotLanded && len(d.imported) == 0 && d.starts == nil && d.ends == nil && slices.Contains(d.Optional, d.topic)
}

// chain names the log of a partition, of which a date has one or, if it was replaced, several.
type chain struct{ partition, generation int }

// chains returns the logs that anything knows of.
func (d *day) chains() []chain {
	known := map[chain]bool{}
	for _, boundary := range []map[int]landing.Mark{d.starts, d.ends} {
		for partition, mark := range boundary {
			known[chain{partition, mark.Generation}] = true
		}
	}
	for _, object := range d.objects {
		if !object.Empty {
			known[chain{object.Partition, object.Generation}] = true
		}
	}
	if d.manifest != nil {
		for _, partition := range d.manifest.Partitions {
			known[chain{partition.Partition, partition.Generation}] = true
		}
	}
	return slices.SortedFunc(maps.Keys(known), func(a, b chain) int {
		return cmp.Or(cmp.Compare(a.partition, b.partition), cmp.Compare(a.generation, b.generation))
	})
}

// problem notes a problem of the topic and date.
func (d *day) problem(p Problem) {
	d.found.Lock()
	defer d.found.Unlock()
	p.Date, p.Topic = d.date, d.topic
	d.problems = append(d.problems, p)
}

// unproven notes what could not be checked.
func (d *day) unproven(what, why string) {
	d.found.Lock()
	defer d.found.Unlock()
	one := Unchecked{Date: d.date, Topic: d.topic, What: what, Why: why}
	if !slices.Contains(d.unchecked, one) {
		d.unchecked = append(d.unchecked, one)
	}
}

func (d *day) boundaryURI(date dates.Date) string { return d.Objects.URI(d.stored.BoundaryKey(date)) }

// runAgain returns the command that runs the date.
func (d *day) runAgain() string { return "`" + d.Command("run "+string(d.date)) + "`" }

// offsetsText names the offsets [start, end).
func offsetsText(start, end int64) string {
	if end == start+1 {
		return fmt.Sprintf("offset %d", start)
	}
	return fmt.Sprintf("offsets %d to %d", start, end-1)
}

// some joins the first few texts.
func some(texts []string) string {
	const most = 3
	if len(texts) > most {
		return strings.Join(texts[:most], ", ") + fmt.Sprintf(" and %d more", len(texts)-most)
	}
	return strings.Join(texts, ", ")
}
