// Package verifytest lands records in memory, as production does, so that tests can damage what has
// landed.
package verifytest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"sync"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"github.com/pinflow/pinflow/activities/activitytest"
	"github.com/pinflow/pinflow/activities/landing"
	"github.com/pinflow/pinflow/internal/bucket"
	"github.com/pinflow/pinflow/internal/bucket/buckettest"
	"github.com/pinflow/pinflow/internal/clients/kafka"
	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/internal/run"
)

// UserID is the prefix of the topics.
const UserID = "u1"

// World is Kafka and a bucket in memory, and landing between them.
type World struct {
	Kafka  *Kafka
	Bucket *buckettest.Memory
	lands  *landing.Activities
}

// New returns a world whose topics, one for each kind, have that many partitions. Objects are small,
// so that a partition has several.
func New(partitions int, kinds ...string) *World {
	w := &World{Kafka: &Kafka{topics: map[string][]*partition{}}, Bucket: buckettest.New()}
	for _, kind := range kinds {
		for range partitions {
			w.Kafka.topics[Topic(kind)] = append(w.Kafka.topics[Topic(kind)], &partition{})
		}
	}
	w.lands = &landing.Activities{Kafka: w.Kafka, Objects: w.Bucket, Topics: run.Topics{UserID: UserID}, Group: "g", ObjectRecords: 5}
	return w
}

// Topic returns the topic of a kind of record.
func Topic(kind string) string { return run.Topics{UserID: UserID}.Name(kind) }

// Land lands the records of a kind and date, at that time.
func (w *World) Land(kind string, date dates.Date, now time.Time) error {
	return w.LandWithout(kind, date, now, nil)
}

// LandWithout is Land without what Kafka has lost, if that is accepted.
func (w *World) LandWithout(kind string, date dates.Date, now time.Time, accept *landing.Acceptance) error {
	plan, err := activitytest.ExecuteIn[landing.Plan](activitytest.EnvironmentAt(now), w.lands.PlanLanding, landing.PlanInput{Topic: kind, Date: date, Accept: accept})
	if err != nil {
		return err
	}
	for _, ranges := range plan.Groups {
		in := landing.PartitionsInput{Topic: plan.Topic, Date: plan.Date, Ranges: ranges}
		if _, err := activitytest.Execute[landing.PartitionsSummary](w.lands.LandPartitions, in); err != nil {
			return err
		}
	}
	_, err = activitytest.Execute[landing.ManifestSummary](w.lands.WriteManifest, landing.ManifestInput{Plan: plan, Accept: accept})
	return err
}

// Stored returns what has landed of a kind.
func (w *World) Stored(kind string) landing.Stored {
	return landing.Stored{Objects: w.Bucket, Topic: Topic(kind)}
}

// Edit changes the content of an object, and leaves its metadata.
func (w *World) Edit(key string, edit func(body []byte) []byte) error {
	ctx := context.Background()
	body, err := w.Bucket.Get(ctx, key)
	if err != nil {
		return err
	}
	info, err := w.Bucket.Head(ctx, key)
	if err != nil {
		return err
	}
	return w.Bucket.Put(ctx, bucket.PutInput{Key: key, Body: edit(slices.Clone(body)), Metadata: info.Metadata})
}

// EditManifest changes the manifest of a kind and date.
func (w *World) EditManifest(kind string, date dates.Date, edit func(*landing.Manifest)) error {
	ctx := context.Background()
	stored := w.Stored(kind)
	manifest, err := stored.Manifest(ctx, date)
	if err != nil {
		return err
	}
	edit(&manifest)
	body, err := json.Marshal(manifest)
	if err != nil {
		return err
	}
	return w.Bucket.Put(ctx, bucket.PutInput{Key: stored.ManifestKey(date), Body: body})
}

// EditBoundary moves the boundary of a partition at the end of a date.
func (w *World) EditBoundary(kind string, date dates.Date, partition int, by int64) error {
	key := w.Stored(kind).BoundaryKey(date)
	var fixed map[string]map[string]any
	if err := json.Unmarshal(w.Bucket.Body(key), &fixed); err != nil {
		return err
	}
	name := fmt.Sprint(partition)
	offset, _ := fixed[name]["offset"].(float64)
	fixed[name] = map[string]any{"offset": int64(offset) + by}
	body, err := json.Marshal(fixed)
	if err != nil {
		return err
	}
	return w.Bucket.Put(context.Background(), bucket.PutInput{Key: key, Body: body})
}

// Kafka is a cluster in memory.
type Kafka struct {
	mu     sync.Mutex
	topics map[string][]*partition
	// Down is the error of all requests.
	Down error
}

type partition struct {
	records    []kafkago.Message
	first, end int64
}

// Produce appends a record.
func (k *Kafka) Produce(topic string, number int, at time.Time, value string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	p := k.topics[topic][number]
	p.records = append(p.records, kafkago.Message{Offset: p.end, Time: at, Key: []byte("k"), Value: []byte(value)})
	p.end++
}

// Skip leaves an offset without a record, as the marker of a transaction does.
func (k *Kafka) Skip(topic string, number int) { k.topics[topic][number].end++ }

// Expire deletes the records before an offset, as retention does.
func (k *Kafka) Expire(topic string, number int, before int64) {
	p := k.topics[topic][number]
	p.first = before
	p.records = slices.DeleteFunc(p.records, func(r kafkago.Message) bool { return r.Offset < before })
}

// Recreate deletes the records of a partition, and appends as many others, later ones.
func (k *Kafka) Recreate(topic string, number int) {
	p := k.topics[topic][number]
	for i := range p.records {
		p.records[i].Time = p.records[i].Time.Add(time.Second)
	}
}

// Shorten deletes the records from an offset on, as if the topic was created again with fewer.
func (k *Kafka) Shorten(topic string, number int, end int64) {
	p := k.topics[topic][number]
	p.end = end
	p.records = slices.DeleteFunc(p.records, func(r kafkago.Message) bool { return r.Offset >= end })
}

// Replace deletes a topic and creates it again, without records.
func (k *Kafka) Replace(topic string) {
	for i := range k.topics[topic] {
		k.topics[topic][i] = &partition{}
	}
}

// Delete deletes a topic.
func (k *Kafka) Delete(topic string) { delete(k.topics, topic) }

func (k *Kafka) partitions(topic string, count int) ([]*partition, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	found, ok := k.topics[topic]
	switch {
	case k.Down != nil:
		return nil, k.Down
	case !ok:
		return nil, fmt.Errorf("%w: %s", kafka.ErrUnknownTopic, topic)
	case count > len(found):
		return nil, kafkago.UnknownTopicOrPartition
	}
	return found, nil
}

// Partitions implements landing.Kafka, as the following methods do.
func (k *Kafka) Partitions(_ context.Context, topic string) (int, error) {
	found, err := k.partitions(topic, 0)
	return len(found), err
}

func (k *Kafka) offsets(topic string, count int, pick func(*partition) int64) ([]int64, error) {
	found, err := k.partitions(topic, count)
	if err != nil {
		return nil, err
	}
	offsets := make([]int64, count)
	for i := range offsets {
		offsets[i] = pick(found[i])
	}
	return offsets, nil
}

// FirstOffsets returns the first offsets.
func (k *Kafka) FirstOffsets(_ context.Context, topic string, count int) ([]int64, error) {
	return k.offsets(topic, count, func(p *partition) int64 { return p.first })
}

// StableOffsets returns the ends.
func (k *Kafka) StableOffsets(_ context.Context, topic string, count int) ([]int64, error) {
	return k.offsets(topic, count, func(p *partition) int64 { return p.end })
}

// OffsetsAt returns the offsets of a time.
func (k *Kafka) OffsetsAt(_ context.Context, topic string, count int, at time.Time) ([]int64, error) {
	return k.offsets(topic, count, func(p *partition) int64 {
		for _, record := range p.records {
			if !record.Time.Before(at) {
				return record.Offset
			}
		}
		return -1
	})
}

// Fetch returns records, few at a time.
func (k *Kafka) Fetch(_ context.Context, topic string, number int, offset int64, _ int) ([]kafkago.Message, int64, error) {
	found, err := k.partitions(topic, number+1)
	if err != nil {
		return nil, 0, err
	}
	p := found[number]
	if offset < p.first || offset > p.end {
		return nil, 0, kafkago.OffsetOutOfRange
	}
	const most = 3
	at := sort.Search(len(p.records), func(i int) bool { return p.records[i].Offset >= offset })
	if records := p.records[at:]; len(records) > most {
		return slices.Clone(records[:most]), records[most-1].Offset + 1, nil
	}
	return slices.Clone(p.records[at:]), p.end, nil
}

// RecordAt returns the record at an offset.
func (k *Kafka) RecordAt(_ context.Context, topic string, number int, offset int64) (kafkago.Message, bool, error) {
	found, err := k.partitions(topic, number+1)
	if err != nil {
		return kafkago.Message{}, false, err
	}
	for _, record := range found[number].records {
		if record.Offset == offset {
			return record, true, nil
		}
	}
	return kafkago.Message{}, false, nil
}

// CommitGroup does nothing.
func (k *Kafka) CommitGroup(context.Context, string, string, map[int]int64) error { return nil }

// Close does nothing.
func (k *Kafka) Close() {}
