package kafka

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/apiversions"
)

const (
	// readyAge is how old an answer of Ready may be: anyone may ask.
	readyAge = time.Second
	// callTimeout limits the call to one broker.
	callTimeout = time.Second
	// awayTime is how long a broker may be away before what it leads must have another leader, and the
	// in-sync replicas must do without it. Brokers are given up 9 s after their last heartbeat
	// (https://kafka.apache.org/documentation/#brokerconfigs_broker.session.timeout.ms).
	awayTime = 15 * time.Second
	// minInSyncAge is how long the topics' settings are kept.
	minInSyncAge = time.Minute

	minInSync = "min.insync.replicas"
)

// readiness is what Ready remembers.
type readiness struct {
	transport *kafkago.Transport

	mu       sync.Mutex
	asked    time.Time
	err      error
	away     map[string]time.Time // since when brokers do not answer, by address
	required map[string]int       // min.insync.replicas, by topic
	read     time.Time
}

// Ready returns nil if records can be written to every partition of the topics that are served: each
// has a leader and enough in-sync replicas, and these answer. Metadata alone does not show it: brokers
// that have lost their controllers go on with what they knew. The answer is at most a second old.
func (p *Producer) Ready(ctx context.Context, serves func(topic string) bool) error {
	r := &p.readiness
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.asked) < readyAge {
		return r.err
	}
	known, err := p.cluster.layoutSince(ctx, time.Now().Add(-readyAge))
	if err == nil {
		p.readRequired(ctx, known, serves)
		alive := r.call(ctx, known, serves)
		err = r.judge(known, serves, alive, time.Now())
	}
	r.asked, r.err = time.Now(), err
	return err
}

// readRequired reads min.insync.replicas. A user that may not read it gets Kafka's default of one.
func (p *Producer) readRequired(ctx context.Context, known *layout, serves func(string) bool) {
	r := &p.readiness
	if time.Since(r.read) < minInSyncAge {
		return
	}
	r.read, r.required = time.Now(), map[string]int{}
	var topics []Topic
	for name := range known.topics {
		if serves(name) {
			topics = append(topics, Topic{Name: name, Config: map[string]string{minInSync: ""}})
		}
	}
	configured, err := (&Admin{client: p.client}).configs(ctx, topics)
	if err != nil {
		return
	}
	for name, values := range configured {
		if required, err := strconv.Atoi(values[minInSync]); err == nil {
			r.required[name] = required
		}
	}
}

// call asks the leaders and in-sync replicas of the topics, and returns the addresses of those that
// answer.
func (r *readiness) call(ctx context.Context, known *layout, serves func(string) bool) (alive map[string]bool) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var mu sync.Mutex
	var calls sync.WaitGroup
	alive = map[string]bool{}
	called := map[string]bool{}
	for name, partitions := range known.topics {
		if !serves(name) {
			continue
		}
		for _, partition := range partitions {
			for _, broker := range append(slices.Clone(partition.Isr), partition.Leader) {
				at := addressOf(broker)
				if at == "" || called[at] {
					continue
				}
				called[at] = true
				calls.Go(func() {
					_, err := r.transport.RoundTrip(ctx, kafkago.TCP(at), &apiversions.Request{})
					if err != nil { // the connection may be of before the broker's restart
						_, err = r.transport.RoundTrip(ctx, kafkago.TCP(at), &apiversions.Request{})
					}
					mu.Lock()
					defer mu.Unlock()
					alive[at] = err == nil
				})
			}
		}
	}
	calls.Wait()
	return alive
}

// addressOf returns the address of a broker; "" if the cluster has given it up.
func addressOf(broker kafkago.Broker) string {
	if broker.Host == "" {
		return ""
	}
	return net.JoinHostPort(broker.Host, strconv.Itoa(broker.Port))
}

// judge returns what is wrong with the partitions, given which brokers answer now.
func (r *readiness) judge(known *layout, serves func(string) bool, alive map[string]bool, now time.Time) error {
	away := map[string]time.Time{}
	for at, answers := range alive {
		if since, before := r.away[at]; !answers && before {
			away[at] = since
		} else if !answers {
			away[at] = now
		}
	}
	r.away = away
	var wrong []error
	for _, topic := range known.infos() {
		if !serves(topic.Name) {
			continue
		}
		for _, partition := range known.topics[topic.Name] {
			if err := r.judgePartition(partition, max(r.required[topic.Name], 1), now); err != nil {
				wrong = append(wrong, fmt.Errorf("%s[%d]: %w", topic.Name, partition.ID, err))
			}
		}
	}
	return errors.Join(wrong...)
}

func (r *readiness) judgePartition(partition kafkago.Partition, required int, now time.Time) error {
	if addressOf(partition.Leader) == "" {
		return errors.New("no leader")
	}
	answering := 0
	for _, replica := range partition.Isr {
		at := addressOf(replica)
		since, away := r.away[at]
		switch {
		case at != "" && !away:
			answering++
		case at != "" && now.Sub(since) > awayTime:
			return fmt.Errorf("the in-sync replica at %s does not answer", at)
		}
	}
	if since, away := r.away[addressOf(partition.Leader)]; away && now.Sub(since) > awayTime {
		return fmt.Errorf("its leader at %s does not answer", addressOf(partition.Leader))
	}
	if answering < required {
		return fmt.Errorf("%d of the in-sync replicas answer, %d are required", answering, required)
	}
	return nil
}
