package landing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/pinflow/pinflow/internal/bucket"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/failure"
)

// commitTimeout limits the attempts to commit the group's offsets. A broker that has just started,
// or that moves the group to another, returns errors for some tenths of a second.
const commitTimeout = 5 * time.Second

// Manifest lists the landed objects of a topic and date, with their offsets, lines and checksums.
// Each landing of the date overwrites it.
type Manifest struct {
	Topic   string     `json:"topic"`
	Date    dates.Date `json:"date"`
	Partial bool       `json:"partial"`
	Until   time.Time  `json:"until"`
	Records int64      `json:"records"`
	Bytes   int64      `json:"bytes"`
	// Lost counts the offsets of the date that Kafka lost before they landed. Those are covered by
	// objects of length 0, and each partition names its own.
	Lost       int64               `json:"lost,omitempty"`
	Partitions []ManifestPartition `json:"partitions"`
	// Imported holds the objects of the date that `starter import` has written. Records and Bytes do
	// not count them.
	Imported []Object `json:"imported,omitempty"`
}

// ManifestPartition is what has landed of one partition: the offsets [Start, End).
type ManifestPartition struct {
	Partition int `json:"partition"`
	// Generation counts the logs that the partition has had, from 0: see Restart. Offsets of different
	// generations are different records. A date in which the partition got a new log has an entry for
	// each.
	Generation int      `json:"generation,omitempty"`
	Start      int64    `json:"start"`
	End        int64    `json:"end"`
	Records    int64    `json:"records"`
	Bytes      int64    `json:"bytes"`
	Objects    []Object `json:"objects"`
	// Lost names the offsets in [Start, End) that Kafka lost before they landed, in their order.
	// Landing the date again never drops any.
	Lost []Lost `json:"lost,omitempty"`
	// DeletedBefore is Start if retention had deleted everything before it when the topic was first
	// planned, so that records of the date may be missing: [0, DeletedBefore) were never there to
	// land.
	DeletedBefore int64 `json:"deletedBefore,omitempty"`
	// Replaced is set if this log ended within the date: another one has replaced it, and records that
	// came after End are lost, which nobody can count. It is who accepted that.
	Replaced *Acceptance `json:"replaced,omitempty"`
}

// WriteManifest writes the manifest of a topic and date after all ranges of the plan have landed.
// It checks that the objects of each partition cover the date from its start to the end of the
// plan. Then it commits the ends to the consumer group, for monitoring; a failure of that is
// only logged.
//
// If Kafka lost offsets of the date before they landed, the manifest names them, and WriteManifest then
// fails without a retry, unless someone has accepted the loss or WarnOfGaps is set.
func (l *Activities) WriteManifest(ctx context.Context, in ManifestInput) (ManifestSummary, error) {
	plan := in.Plan
	manifest, err := l.manifest(ctx, plan)
	if err != nil {
		return ManifestSummary{}, err
	}
	accepted, err := l.acceptLosses(ctx, &manifest, in.Accept)
	if err != nil {
		return ManifestSummary{}, err
	}
	body, err := json.MarshalIndent(manifest, "", "  ")
	if err != nil {
		return ManifestSummary{}, fmt.Errorf("manifest of %s: %w", plan.Topic, err)
	}
	key := manifestKey(plan.Topic, plan.Date)
	if err := l.Objects.Put(ctx, bucket.PutInput{Key: key, Body: body}); err != nil {
		return ManifestSummary{}, s3Error(ctx, "write manifest "+key, err)
	}
	l.commit(ctx, plan)
	if !accepted && !l.WarnOfGaps {
		return ManifestSummary{}, offsetsLost(manifest)
	}
	summary := ManifestSummary{URI: l.Objects.URI(key), Records: manifest.Records, Bytes: manifest.Bytes, Remarks: manifest.remarks()}
	for _, partition := range manifest.Partitions {
		summary.Objects += len(partition.Objects)
	}
	for _, object := range manifest.Imported {
		summary.Objects++
		summary.Records += object.Records
		summary.Bytes += object.Bytes
	}
	return summary, nil
}

// acceptLosses sets who has accepted what Kafka lost of the date, and reports whether that is all of
// it. An earlier manifest that cannot be decoded has accepted nothing.
func (l *Activities) acceptLosses(ctx context.Context, manifest *Manifest, now *Acceptance) (bool, error) {
	if manifest.Lost == 0 {
		return true, nil
	}
	earlier, err := ReadManifest(ctx, l.Objects, manifest.Topic, manifest.Date)
	if err != nil && !errors.Is(err, bucket.ErrNotFound) && !errors.Is(err, ErrDecode) {
		return false, s3Error(ctx, "read manifest of "+manifest.Topic, err)
	}
	if now != nil {
		now = &Acceptance{By: now.By, Reason: now.Reason, At: l.clock.Now().UTC()}
	}
	return manifest.accept(earlier, now), nil
}

// ReadManifest returns the manifest of a topic and date. The error is bucket.ErrNotFound if there is
// none, and ErrDecode if it was damaged.
func ReadManifest(ctx context.Context, objects bucket.Objects, topic string, date dates.Date) (Manifest, error) {
	body, err := objects.Get(ctx, manifestKey(topic, date))
	if err != nil {
		return Manifest{}, err
	}
	var manifest Manifest
	if err := json.Unmarshal(body, &manifest); err != nil {
		return Manifest{}, fmt.Errorf("manifest %s: %w: rerun the load of the date, which overwrites it: %w", objects.URI(manifestKey(topic, date)), ErrDecode, err)
	}
	return manifest, nil
}

func (l *Activities) manifest(ctx context.Context, plan Plan) (Manifest, error) {
	manifest := Manifest{Topic: plan.Topic, Date: plan.Date, Partial: plan.Partial, Until: plan.Until, Partitions: []ManifestPartition{}}
	fixed := &boundaries{objects: l.Objects, topic: plan.Topic}
	starts, err := fixed.read(ctx, plan.Date.Add(-1))
	if err != nil {
		return manifest, s3Error(ctx, "read boundary of "+plan.Topic, err)
	}
	generations, err := readGenerations(ctx, l.Objects, plan.Topic)
	if err != nil {
		return manifest, err
	}
	landed, err := l.landed(ctx, plan.Topic, plan.Date, datePrefix(plan.Topic, plan.Date))
	if err != nil {
		return manifest, err
	}
	for i, planned := range plan.Ranges {
		all := landed[planned.Partition]
		chain := ofGeneration(all, planned.Generation)
		partition := ManifestPartition{
			Partition: planned.Partition, Generation: planned.Generation, Objects: chain,
			Start: generations.from(planned.Partition, planned.Generation, starts[planned.Partition]),
		}
		if partition.End, err = chainEnd(l.Objects, chain, partition.Start); err != nil {
			return manifest, err
		}
		if partition.End < planned.End || len(all) == 0 {
			return manifest, failure.NonRetryable(failure.Contradiction, nil, "partition %d of %s: the objects of %s end at offset %d, the plan at %d: run the date again to land the rest",
				planned.Partition, plan.Topic, plan.Date, partition.End, planned.End)
		}
		if planned.Generation == starts[planned.Partition].Generation {
			partition.DeletedBefore = starts[planned.Partition].deleted()
		}
		if i+1 < len(plan.Ranges) && plan.Ranges[i+1].Partition == planned.Partition {
			partition.Replaced = generations.ended(planned.Partition, planned.Generation)
		}
		manifest.add(partition)
	}
	if manifest.Imported, err = l.readImported(ctx, plan.Topic, plan.Date); err != nil {
		return manifest, err
	}
	return manifest, nil
}

// add adds a partition, and counts what its objects hold.
func (m *Manifest) add(partition ManifestPartition) {
	for _, object := range partition.Objects {
		partition.Records += object.Records
		partition.Bytes += object.Bytes
	}
	partition.Lost = lostOf(partition.Objects)
	for _, lost := range partition.Lost {
		m.Lost += lost.Offsets()
	}
	m.Records += partition.Records
	m.Bytes += partition.Bytes
	m.Partitions = append(m.Partitions, partition)
}

// commit commits the ends of the plan to the consumer group.
func (l *Activities) commit(ctx context.Context, plan Plan) {
	ends := make(map[int]int64, len(plan.Ranges))
	for _, planned := range plan.Ranges {
		ends[planned.Partition] = planned.End
	}
	short, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	if err := l.Kafka.CommitGroup(short, l.Group, plan.Topic, ends); err != nil {
		activity.GetLogger(ctx).Warn("the offsets of the consumer group were not committed; only monitoring is affected", "group", l.Group, "topic", plan.Topic, "error", err)
	}
}
