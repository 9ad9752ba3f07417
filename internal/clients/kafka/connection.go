// Package kafka is Pinflow's client of Kafka: a producer that returns offsets, an admin for topics,
// and a reader by offsets. It uses segmentio/kafka-go, which this package imports as kafkago.
package kafka

import (
	"crypto/tls"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
)

// Connection configures the connections to the brokers.
type Connection struct {
	// Brokers holds the bootstrap addresses, host:port. One of them must be reachable.
	Brokers []string
	// ClientID identifies the program in the brokers' logs and quotas.
	ClientID string
	// TLS, if not nil, encrypts the connections.
	TLS *tls.Config
	// SASL, if not nil, authenticates the connections.
	SASL sasl.Mechanism
}

// dialTimeout limits one attempt to connect, with TLS and SASL. Without it, a broker whose packets
// are dropped would block every request for as long as the operating system retries.
const dialTimeout = 3 * time.Second

// transport returns a pool of connections. kafka-go's metadata of the cluster lives as long as the
// pool.
func (c Connection) transport() *kafkago.Transport {
	return &kafkago.Transport{ClientID: c.ClientID, TLS: c.TLS, SASL: c.SASL, DialTimeout: dialTimeout}
}

// client returns a client whose requests take at most that long. For a produce request, half of it
// is the time for the replicas; kafka-go's default of half a second is too short for a busy
// cluster.
func (c Connection) client(transport *kafkago.Transport, timeout time.Duration) *kafkago.Client {
	return &kafkago.Client{Addr: kafkago.TCP(c.Brokers...), Timeout: timeout, Transport: transport}
}
