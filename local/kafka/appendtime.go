package kafka

import (
	"encoding/binary"
	"hash/crc32"
	"io"
	"net"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// kfake ignores message.timestamp.type. A broker sets the maximum time of a batch and a bit in its
// attributes by that setting of the topic, and keeps the producer's time in the header: clients that
// do not look at the bit get the producer's clock.
//
// kfake finds offsets by the header and the times of records, and does not know the bit. So a produce
// request to such a topic gets the time of now in the header, with a mark in place of the bit, and a
// fetch gets the bit. Meanwhile the producer's time is kept as the producer's id, which is -1 unless
// the producer is idempotent.

// The header of a batch: https://kafka.apache.org/documentation/#recordbatch.
const (
	atLength        = 8 // of what follows it
	atCRC           = 17
	atAttributes    = 21
	atBaseTimestamp = 27
	atMaxTimestamp  = 35
	atProducerID    = 43
	headerSize      = 61

	logAppendTime = 0x08 // in the second byte of the attributes
	mark          = 0x40 // in the first; Kafka does not use it
	noProducer    = -1
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// seal writes the checksum of a batch that was changed.
func seal(batch []byte) {
	binary.BigEndian.PutUint32(batch[atCRC:], crc32.Checksum(batch[atAttributes:], castagnoli))
}

// stamp sets the time of a batch.
func stamp(batch []byte, now time.Time) {
	if len(batch) < headerSize || len(batch) != int(binary.BigEndian.Uint32(batch[atLength:]))+atLength+4 ||
		binary.BigEndian.Uint32(batch[atCRC:]) != crc32.Checksum(batch[atAttributes:], castagnoli) {
		return // the broker rejects it
	}
	batch[atAttributes] |= mark
	if int64(binary.BigEndian.Uint64(batch[atProducerID:])) == noProducer {
		produced := int64(binary.BigEndian.Uint64(batch[atBaseTimestamp:]))
		binary.BigEndian.PutUint64(batch[atProducerID:], uint64(hidden(max(produced, 0))))
	}
	binary.BigEndian.PutUint64(batch[atBaseTimestamp:], uint64(now.UnixMilli()))
	binary.BigEndian.PutUint64(batch[atMaxTimestamp:], uint64(now.UnixMilli()))
	seal(batch)
}

// hidden returns a time as the id of a producer that is none, and the other way round.
func hidden(value int64) int64 { return noProducer - 1 - value }

// restore makes the headers of batches what a broker makes them.
func restore(batches []byte) {
	for len(batches) >= headerSize {
		size := int(binary.BigEndian.Uint32(batches[atLength:])) + atLength + 4
		if size > len(batches) {
			return
		}
		batch := batches[:size]
		batches = batches[size:]
		if batch[atAttributes]&mark == 0 {
			continue
		}
		batch[atAttributes] &^= mark
		batch[atAttributes+1] |= logAppendTime
		if id := int64(binary.BigEndian.Uint64(batch[atProducerID:])); id < noProducer {
			binary.BigEndian.PutUint64(batch[atBaseTimestamp:], uint64(hidden(id)))
			binary.BigEndian.PutUint64(batch[atProducerID:], ^uint64(0))
		}
		seal(batch)
	}
}

// listener accepts connections whose produce requests and fetches are changed.
type listener struct {
	net.Listener
	topics     *topics
	advertised net.Addr // nil if it is that of the listener
}

// Addr returns the address that clients are told.
func (l *listener) Addr() net.Addr {
	if l.advertised != nil {
		return l.advertised
	}
	return l.Listener.Addr()
}

func (l *listener) Accept() (net.Conn, error) {
	accepted, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &conn{Conn: accepted, topics: l.topics, fetches: map[int32]int16{}}, nil
}

// conn is a connection of a client. kfake reads requests and writes each response at once.
type conn struct {
	net.Conn
	topics *topics
	read   []byte // what is left of a request

	mu      sync.Mutex
	fetches map[int32]int16 // the versions of open fetches, by correlation id
}

// Read reads from the requests, one after the other.
func (c *conn) Read(to []byte) (int, error) {
	if len(c.read) == 0 {
		request := make([]byte, 4)
		if _, err := io.ReadFull(c.Conn, request); err != nil {
			return 0, err
		}
		size := binary.BigEndian.Uint32(request)
		request = append(request, make([]byte, size)...)
		if _, err := io.ReadFull(c.Conn, request[4:]); err != nil {
			return 0, err
		}
		c.requested(request[4:])
		c.read = request
	}
	n := copy(to, c.read)
	c.read = c.read[n:]
	return n, nil
}

// requested changes a produce request and notes a fetch.
func (c *conn) requested(request []byte) {
	reader := kbin.Reader{Src: request}
	key, version, correlation := reader.Int16(), reader.Int16(), reader.Int32()
	switch kmsg.Key(key) {
	case kmsg.Fetch:
		c.mu.Lock()
		c.fetches[correlation] = version
		c.mu.Unlock()
	case kmsg.Produce:
		produce := kmsg.NewPtrProduceRequest()
		produce.SetVersion(version)
		reader.NullableString() // the client id
		if produce.IsFlexible() {
			kmsg.SkipTags(&reader)
		}
		if !reader.Ok() || produce.ReadFrom(reader.Src) != nil {
			return // the broker closes the connection
		}
		for _, topic := range produce.Topics {
			if !c.topics.logAppendTime(topic.Topic, topic.TopicID) {
				continue
			}
			for _, partition := range topic.Partitions {
				stamp(partition.Records, time.Now()) // which is memory of the request
			}
		}
	}
}

func (c *conn) Write(response []byte) (int, error) {
	c.answered(response)
	return c.Conn.Write(response)
}

// answered changes the response to a fetch.
func (c *conn) answered(response []byte) {
	reader := kbin.Reader{Src: response}
	reader.Int32() // the size
	correlation := reader.Int32()
	c.mu.Lock()
	version, ok := c.fetches[correlation]
	delete(c.fetches, correlation)
	c.mu.Unlock()
	if !ok {
		return
	}
	fetch := kmsg.NewPtrFetchResponse()
	fetch.SetVersion(version)
	if fetch.IsFlexible() {
		kmsg.SkipTags(&reader)
	}
	if !reader.Ok() || fetch.ReadFrom(reader.Src) != nil {
		return
	}
	for _, topic := range fetch.Topics {
		for _, partition := range topic.Partitions {
			restore(partition.RecordBatches)
		}
	}
}

// topics knows the settings of topics, once the cluster has started.
type topics struct {
	started chan struct{}
	cluster *kfake.Cluster
}

// logAppendTime reports whether a topic, by its name or id, has message.timestamp.type=LogAppendTime.
func (t *topics) logAppendTime(name string, id [16]byte) bool {
	<-t.started
	if t.cluster == nil {
		return false // it did not start
	}
	var info *kfake.TopicInfo
	if name != "" {
		info = t.cluster.TopicInfo(name)
	} else {
		info = t.cluster.TopicIDInfo(id)
	}
	if info == nil {
		return false
	}
	kind := info.Configs["message.timestamp.type"]
	return kind != nil && *kind == "LogAppendTime"
}

// NewCluster starts a cluster of kfake whose topics can have LogAppendTime. It cannot have TLS: requests
// are read before kfake decrypts them.
func NewCluster(opts ...kfake.Opt) (*kfake.Cluster, error) { return newCluster(nil, opts...) }

// newCluster is NewCluster with another address for clients than that of the listener.
func newCluster(advertised net.Addr, opts ...kfake.Opt) (*kfake.Cluster, error) {
	known := &topics{started: make(chan struct{})}
	listen := kfake.ListenFn(func(network, address string) (net.Listener, error) {
		accepting, err := net.Listen(network, address)
		return &listener{Listener: accepting, topics: known, advertised: advertised}, err
	})
	cluster, err := kfake.NewCluster(append([]kfake.Opt{listen}, opts...)...)
	known.cluster = cluster
	close(known.started)
	return cluster, err
}
