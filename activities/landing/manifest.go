package landing

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/pinflow/pinflow/internal/bucket"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/failure"
)

// commitTimeout bounds how long the group's offsets are tried to be committed. A broker that has just started, or moves the
// group to another, answers with errors for some tenths of a second.
const commitTimeout = 5 * time.Second

// Manifest lists what has landed of a topic for a date: every object, with its offsets, lines and checksum. It is written
// after each landing of the date, so that of a partial date grows.
type Manifest struct {
	Topic      string              `json:"topic"`
	Date       dates.Date          `json:"date"`
	Partial    bool                `json:"partial"`
	Until      time.Time           `json:"until"`
	Records    int64               `json:"records"`
	Bytes      int64               `json:"bytes"`
	Partitions []ManifestPartition `json:"partitions"`
}

// ManifestPartition is what has landed of one partition: the offsets [Start, End).
type ManifestPartition struct {
	Partition int      `json:"partition"`
	Start     int64    `json:"start"`
	End       int64    `json:"end"`
	Records   int64    `json:"records"`
	Bytes     int64    `json:"bytes"`
	Objects   []Object `json:"objects"`
}

// WriteManifest writes the manifest of a topic and date, after all ranges of the plan have landed. It makes sure that the objects
// of each partition follow each other from the date's start to the end of the plan. At last it commits the plan's ends to the
// consumer group Group, for monitoring: if that does not work, it is logged and nothing else.
func (l *Activities) WriteManifest(ctx context.Context, in ManifestInput) (ManifestSummary, error) {
	plan := in.Plan
	manifest, err := l.manifest(ctx, plan)
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
	summary := ManifestSummary{URI: l.Objects.URI(key), Records: manifest.Records, Bytes: manifest.Bytes}
	for _, partition := range manifest.Partitions {
		summary.Objects += len(partition.Objects)
	}
	return summary, nil
}

// ReadManifest returns the manifest of a topic and date, or ErrNotFound.
func ReadManifest(ctx context.Context, objects bucket.Objects, topic string, date dates.Date) (Manifest, error) {
	body, err := objects.Get(ctx, manifestKey(topic, date))
	if err != nil {
		return Manifest{}, err
	}
	var manifest Manifest
	if err := json.Unmarshal(body, &manifest); err != nil {
		return Manifest{}, fmt.Errorf("manifest %s cannot be read: run the date's load again to write it anew: %w", objects.URI(manifestKey(topic, date)), err)
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
	landed, err := l.landed(ctx, plan.Topic, plan.Date, datePrefix(plan.Topic, plan.Date))
	if err != nil {
		return manifest, err
	}
	for _, planned := range plan.Ranges {
		chain := landed[planned.Partition]
		partition := ManifestPartition{Partition: planned.Partition, Start: starts.at(planned.Partition), Objects: chain}
		if partition.End, err = l.chainEnd(chain, partition.Start); err != nil {
			return manifest, err
		}
		if partition.End < planned.End || len(chain) == 0 {
			return manifest, failure.NonRetryable(failure.Contradiction, nil, "partition %d of %s: objects of %s end at offset %d, the plan at %d: run the date again to land the rest",
				planned.Partition, plan.Topic, plan.Date, partition.End, planned.End)
		}
		for _, object := range chain {
			partition.Records += object.Records
			partition.Bytes += object.Bytes
		}
		manifest.Records += partition.Records
		manifest.Bytes += partition.Bytes
		manifest.Partitions = append(manifest.Partitions, partition)
	}
	return manifest, nil
}

// commit tells the consumer group how far the topic has been landed.
func (l *Activities) commit(ctx context.Context, plan Plan) {
	ends := make(map[int]int64, len(plan.Ranges))
	for _, planned := range plan.Ranges {
		ends[planned.Partition] = planned.End
	}
	short, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	if err := l.Kafka.CommitGroup(short, Group, plan.Topic, ends); err != nil {
		activity.GetLogger(ctx).Warn("The group's offsets were not committed; only its monitoring is affected.", "group", Group, "topic", plan.Topic, "error", err)
	}
}
