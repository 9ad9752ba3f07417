package integration

import (
	"encoding/binary"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// faulty is what happens to brokers, and to the produce requests that arrive next, one each.
type faulty struct {
	mu   sync.Mutex
	next []produceFault
	dead []string
}

type produceFault struct {
	// slow is how long the request waits in front of the broker.
	slow time.Duration
	// cut closes the connection in place of the request, lose after it and in place of its answer.
	cut, lose bool
}

// inject makes the next produce requests fail; none ends what was injected before.
func (f *faulty) inject(times int, what produceFault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next = nil
	for range times {
		f.next = append(f.next, what)
	}
}

// kill makes the brokers at the addresses close what connects to them, and all others serve again.
func (f *faulty) kill(addresses ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dead = addresses
}

// killed reports whether the broker at the address is one of them.
func (f *faulty) killed(address net.Addr) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Contains(f.dead, address.String())
}

func (f *faulty) take() (what produceFault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.next) > 0 {
		what, f.next = f.next[0], f.next[1:]
	}
	return what
}

// faultyBroker starts a Kafka cluster with the topic and faults on its connections.
func faultyBroker(t require.TestingT, brokers int, partitions int32) (*kfake.Cluster, *faulty) {
	faults := &faulty{}
	cluster, err := kfake.NewCluster(kfake.NumBrokers(brokers), kfake.SeedTopics(partitions, topic),
		kfake.ListenFn(func(network, address string) (net.Listener, error) {
			listening, err := net.Listen(network, address)
			return faultyListener{listening, faults}, err
		}))
	require.NoError(t, err)
	return cluster, faults
}

type faultyListener struct {
	net.Listener
	faults *faulty
}

func (l faultyListener) Accept() (net.Conn, error) {
	accepted, err := l.Listener.Accept()
	return &faultyConn{Conn: accepted, faults: l.faults}, err
}

// faultyConn reads whole requests. kfake writes each answer at once.
type faultyConn struct {
	net.Conn
	faults *faulty
	rest   []byte
	lose   bool
	mu     sync.Mutex
}

func (c *faultyConn) Read(into []byte) (int, error) {
	if len(c.rest) == 0 {
		request := make([]byte, 4)
		if _, err := io.ReadFull(c.Conn, request); err != nil {
			return 0, err
		}
		request = append(request, make([]byte, binary.BigEndian.Uint32(request))...)
		if _, err := io.ReadFull(c.Conn, request[4:]); err != nil {
			return 0, err
		}
		if c.faults.killed(c.LocalAddr()) {
			return 0, c.Close()
		}
		if kmsg.Key(binary.BigEndian.Uint16(request[4:])) == kmsg.Produce {
			what := c.faults.take()
			if what.cut {
				return 0, c.Close()
			}
			time.Sleep(what.slow)
			c.mu.Lock()
			c.lose = what.lose
			c.mu.Unlock()
		}
		c.rest = request
	}
	n := copy(into, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

func (c *faultyConn) Write(answer []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lose {
		return 0, c.Close()
	}
	return c.Conn.Write(answer)
}

// copies returns how often each value is in the topic.
func copies(t *testing.T, cluster *kfake.Cluster) map[string]int {
	t.Helper()
	ends := map[int32]int64{}
	for partition := int32(0); cluster.PartitionInfo(topic, partition) != nil; partition++ {
		if end := cluster.PartitionInfo(topic, partition).HighWatermark; end > 0 {
			ends[partition] = end
		}
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	require.NoError(t, err)
	defer client.Close()
	all := map[string]int{}
	for ctx := deadline(t); len(ends) > 0; {
		fetches := client.PollFetches(ctx)
		require.NoError(t, fetches.Err())
		for _, record := range fetches.Records() {
			all[string(record.Value)]++
			if record.Offset+1 >= ends[record.Partition] {
				delete(ends, record.Partition)
			}
		}
	}
	return all
}
