package imports

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/pinflow/pinflow/internal/run"
)

// Folders of the old pipeline's bucket.
const (
	topicsFolder = "topics/" // of the Kafka Connect S3 sink
	eventsFolder = "events/" // of the batch consumer, an object for each post
)

// Events stands for the topic of the objects below events/, whose names have none.
const Events = "events"

// eventPrefix begins the names of events: event-<unique_id>.json.
const eventPrefix = "event-"

// place is where the records of an object were in Kafka, by its name.
type place struct {
	topic     string
	partition int
	offset    int64 // of the first record; the name of an event has none
}

// locate returns the place of the records of an object. ok is false if the old pipeline does not
// write such a key. Folders between topic and name, those of the sink's partitioners, do not count,
// but dt=<date> does: Pinflow writes it.
func locate(key string) (p place, ok bool) {
	name, compressed := strings.CutSuffix(path.Base(key), ".gz")
	name, isJSON := strings.CutSuffix(name, ".json")
	if !isJSON && !compressed {
		return place{}, false
	}
	switch folder := path.Dir(key) + "/"; {
	case folder == eventsFolder && strings.HasPrefix(name, eventPrefix):
		return place{topic: Events}, true
	case strings.HasPrefix(folder, topicsFolder) && !strings.Contains(folder, "/dt="):
		topic, _, _ := strings.Cut(strings.TrimPrefix(folder, topicsFolder), "/")
		rest, isOf := strings.CutPrefix(name, topic+"+")
		partition, offset, two := strings.Cut(rest, "+")
		var errs [2]error
		p.topic = topic
		p.partition, errs[0] = strconv.Atoi(partition)
		p.offset, errs[1] = strconv.ParseInt(offset, 10, 64)
		return p, isOf && two && errs[0] == nil && errs[1] == nil && p.partition >= 0 && p.offset >= 0
	}
	return place{}, false
}

// Topics says as which kind the records of each topic of the old pipeline are imported.
type Topics struct {
	names run.Topics
	// chosen holds the topics that were named, with their kinds, which may be empty.
	chosen map[string]string
}

// Kinds are the kinds of records.
var Kinds = []string{"pin", "geo", "user", run.Post}

// ParseTopics parses texts such as 0a1b.pin, or posts-2022=pin, which names the kind, too. Without any
// all topics are imported.
func ParseTopics(names run.Topics, texts []string) (Topics, error) {
	t := Topics{names: names, chosen: map[string]string{}}
	for _, text := range texts {
		topic, kind, named := strings.Cut(text, "=")
		if topic == "" || named && !slices.Contains(Kinds, kind) {
			return t, fmt.Errorf("--topic %s: want a topic of the bucket, or topic=kind, with one of the kinds %s", text, strings.Join(Kinds, ", "))
		}
		t.chosen[topic] = kind
	}
	return t, nil
}

// target returns the topic into whose folder the records of a topic are imported. wanted is false for a
// topic that was not chosen, and the target is empty if its kind is unknown.
func (t Topics) target(topic string) (target string, wanted bool) {
	kind, chosen := t.chosen[topic]
	if !chosen && len(t.chosen) > 0 {
		return "", false
	}
	if kind == "" {
		kind = t.kind(topic)
	}
	if kind == "" {
		return "", true
	}
	return t.names.Name(kind), true
}

// kind returns the kind of record by the name of its topic: what follows the last dot, as in 0a1b.pin.
func (t Topics) kind(topic string) string {
	switch topic {
	case t.names.Name(run.Post), run.PostsTopic, Events:
		return run.Post
	}
	last := topic[strings.LastIndexByte(topic, '.')+1:]
	if slices.Contains(Kinds, last) {
		return last
	}
	return ""
}

// missing returns the chosen topics that were not found.
func (t Topics) missing(found map[string]bool) []string {
	var all []string
	for _, topic := range slices.Sorted(maps.Keys(t.chosen)) {
		if !found[topic] {
			all = append(all, topic)
		}
	}
	return all
}
