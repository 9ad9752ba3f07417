// Package kafka is Pinflow's client of Kafka: a producer that answers with offsets, topics, and reading by offsets.
// It stands on segmentio/kafka-go, whose name in this package is kafkago.
package kafka

import (
	"crypto/tls"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
)

// Connection says how to reach the brokers.
type Connection struct {
	// Brokers are the bootstrap addresses, host:port. One that answers is enough.
	Brokers []string
	// ClientID names the program in the brokers' logs and quotas.
	ClientID string
	// TLS, if not nil, encrypts the connections.
	TLS *tls.Config
	// SASL, if not nil, says who is asking.
	SASL sasl.Mechanism
}

// dialTimeout limits one attempt to connect, TLS and SASL included. A broker that is there answers within milliseconds;
// one whose packets are dropped would otherwise hold every request for as long as the operating system tries.
const dialTimeout = 3 * time.Second

// transport makes a pool of connections. What kafka-go knows of the cluster lives as long as the pool does.
func (c Connection) transport() *kafkago.Transport {
	return &kafkago.Transport{ClientID: c.ClientID, TLS: c.TLS, SASL: c.SASL, DialTimeout: dialTimeout}
}

// client makes a client whose requests take no longer than the timeout. For a produce request half of it is the time
// that the broker has for its replicas; kafka-go's own default of half a second is too short for a busy cluster.
func (c Connection) client(transport *kafkago.Transport, timeout time.Duration) *kafkago.Client {
	return &kafkago.Client{Addr: kafkago.TCP(c.Brokers...), Timeout: timeout, Transport: transport}
}
