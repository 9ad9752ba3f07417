package verify

import (
	"context"
	"errors"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/pinflow/pinflow/activities/landing"
	"github.com/pinflow/pinflow/internal/bucket"
	"github.com/pinflow/pinflow/internal/clients/s3"
)

// checkImported checks the objects that `starter import` has written. They have no boundaries, and
// Kafka may never have had their records: metadata, manifest, content and tables have to agree.
func (d *day) checkImported(ctx context.Context, places chan struct{}) error {
	listed := map[string]landing.Object{}
	if d.manifest != nil {
		for _, object := range d.manifest.Imported {
			listed[object.Key] = object
			if !slices.ContainsFunc(d.imported, func(o landing.Object) bool { return o.Key == object.Key }) {
				d.problem(Problem{Partition: &object.Partition, Object: d.Objects.URI(object.Key),
					What: "the manifest has this imported object, and it is gone", Next: "restore it from a version of the bucket"})
			}
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	for i := range d.imported {
		group.Go(func() error {
			select {
			case places <- struct{}{}:
				defer func() { <-places }()
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			defer d.step(string(d.date) + " " + d.topic)
			object, isListed := listed[d.imported[i].Key]
			return d.checkImportedObject(ctx, &d.imported[i], object, isListed)
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, object := range d.imported {
		d.landed.Objects++
		d.landed.Records += int64(d.contents[object.Key].lines)
		d.landed.Bytes += object.Bytes
	}
	return nil
}

func (d *day) checkImportedObject(ctx context.Context, object *landing.Object, listed landing.Object, isListed bool) error {
	headed, err := landing.HeadImported(ctx, d.Objects, *object)
	switch {
	case errors.Is(err, bucket.ErrNotFound):
		return nil // it was deleted since the listing
	case errors.Is(err, landing.ErrMetadata):
		d.problem(Problem{Partition: &object.Partition, Object: d.Objects.URI(object.Key),
			What: "the metadata do not have the offsets of the object: it was copied without them", Next: "restore it from a version of the bucket, with its metadata"})
		if headed = *object; isListed {
			headed = listed
		}
	case err != nil:
		return s3.Classify(err)
	}
	*object = headed
	body, err := d.Objects.Get(ctx, object.Key)
	if errors.Is(err, bucket.ErrNotFound) {
		return nil
	}
	if err != nil {
		return s3.Classify(err)
	}
	_, is, wrong := d.readLines(headed, body)
	d.found.Lock()
	d.contents[object.Key] = is
	d.found.Unlock()
	d.compareContent(headed, listed, isListed, is, wrong)
	return nil
}
