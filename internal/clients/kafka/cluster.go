package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"golang.org/x/sync/singleflight"
)

const (
	// layoutAge is how old the list of topics and partitions may be before it is refreshed in the
	// background. New partitions of a topic get records after that time at the latest.
	layoutAge = 5 * time.Second
	// missPause is the minimum time between two refreshes because of unknown topics, so that
	// callers with a wrong name do not load the brokers.
	missPause = 200 * time.Millisecond
	// metadataTimeout limits one metadata request.
	metadataTimeout = 5 * time.Second
)

// layout holds the partitions of each topic at one moment.
type layout struct {
	topics map[string][]kafkago.Partition
	asked  time.Time
}

// infos returns the topics in the order of their names.
func (l *layout) infos() []TopicInfo {
	infos := make([]TopicInfo, 0, len(l.topics))
	for _, name := range slices.Sorted(maps.Keys(l.topics)) {
		infos = append(infos, TopicInfo{Name: name, Partitions: len(l.topics[name])})
	}
	return infos
}

// cluster knows the topics of a cluster. kafka-go answers metadata requests from a cache that
// cannot be refreshed. Therefore cluster has connections of its own and closes them, which drops
// the cache, before each request.
type cluster struct {
	brokers   []string
	client    *kafkago.Client
	transport *kafkago.Transport
	asking    singleflight.Group // concurrent requests share one response, also an error
	current   atomic.Pointer[layout]
}

func newCluster(connection Connection) *cluster {
	transport := connection.transport()
	return &cluster{brokers: connection.Brokers, client: connection.client(transport, metadataTimeout), transport: transport}
}

// partitions returns the number of partitions of a topic, or ErrUnknownTopic, or ErrUnreachable. A
// known topic stays known while Kafka is unreachable. An unknown topic is looked up after the call
// began, so that a new topic is found at once.
func (c *cluster) partitions(ctx context.Context, topic string) (int, error) {
	began := time.Now()
	known := c.current.Load()
	if known != nil {
		if count := len(known.topics[topic]); count > 0 {
			if began.Sub(known.asked) > layoutAge {
				c.asking.DoChan("", c.ask) // if it fails, the next call tries again
			}
			return count, nil
		}
		wait(ctx, missPause-began.Sub(known.asked))
	}
	fresh, err := c.layoutSince(ctx, began)
	if err != nil {
		return 0, err
	}
	if count := len(fresh.topics[topic]); count > 0 {
		return count, nil
	}
	return 0, fmt.Errorf("%w: %s", ErrUnknownTopic, topic)
}

// layoutSince returns a layout that was requested at that moment or later.
func (c *cluster) layoutSince(ctx context.Context, moment time.Time) (*layout, error) {
	for {
		if known := c.current.Load(); known != nil && !known.asked.Before(moment) {
			return known, nil
		}
		select {
		case answer := <-c.asking.DoChan("", c.ask):
			if answer.Err != nil {
				return nil, answer.Err
			}
		case <-ctx.Done():
			return nil, fmt.Errorf("%w at %s: %w", ErrUnreachable, c.client.Addr, context.Cause(ctx))
		}
	}
}

// ask requests the layout from one broker after the other, in random order, until one answers:
// kafka-go does not go on to the next if one takes the connection and then fails.
func (c *cluster) ask() (any, error) {
	c.transport.CloseIdleConnections()
	asked := time.Now()
	var answer *kafkago.MetadataResponse
	err := errors.New("PINFLOW_KAFKA_BROKERS is empty")
	for _, i := range rand.Perm(len(c.brokers)) {
		answer, err = c.client.Metadata(context.Background(), &kafkago.MetadataRequest{Addr: kafkago.TCP(c.brokers[i])})
		if err == nil {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%w at %s: %w", ErrUnreachable, c.client.Addr, err)
	}
	fresh := &layout{topics: make(map[string][]kafkago.Partition, len(answer.Topics)), asked: asked}
	for _, topic := range answer.Topics {
		if len(topic.Partitions) > 0 && !topic.Internal {
			fresh.topics[topic.Name] = topic.Partitions
		}
	}
	c.current.Store(fresh)
	return fresh, nil
}

func (c *cluster) close() { c.transport.CloseIdleConnections() }
