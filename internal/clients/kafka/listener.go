package kafka

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/apiversions"
	"github.com/segmentio/kafka-go/protocol/metadata"
	"github.com/segmentio/kafka-go/protocol/saslhandshake"

	"github.com/pinflow/pinflow/internal/config"
)

// inspectTimeout limits each step of an inspection: a listener that speaks another protocol may wait
// for more bytes.
const inspectTimeout = 2 * time.Second

// Listener is what a listener of the brokers speaks.
type Listener struct {
	// Address is its host:port.
	Address string
	// Protocol is Kafka's name of it, as in PINFLOW_KAFKA_SECURITY_PROTOCOL.
	Protocol string
	// Mechanisms are those of SASL that it offers.
	Mechanisms []string
}

// Inspect finds out what the first listener that accepts a connection speaks. It sends no
// credentials, and trusts any certificate.
func (c Connection) Inspect(ctx context.Context) (Listener, error) {
	var errs []error
	for _, address := range c.Brokers {
		if probe, err := (&net.Dialer{Timeout: inspectTimeout}).DialContext(ctx, "tcp", address); err != nil {
			errs = append(errs, err)
			continue
		} else if err := probe.Close(); err != nil {
			return Listener{}, err
		}
		for _, secured := range []*tls.Config{nil, c.anyCertificate()} {
			if found, err := c.speaks(ctx, address, secured); err == nil {
				return found, nil
			}
		}
		errs = append(errs, fmt.Errorf("%s does not speak Kafka's protocol, neither plain nor with TLS", address))
	}
	return Listener{}, errors.Join(errs...)
}

// anyCertificate returns the settings of TLS with which any broker is trusted.
func (c Connection) anyCertificate() *tls.Config {
	any := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.TLS != nil {
		any = c.TLS.Clone()
	}
	any.InsecureSkipVerify = true // nothing is sent that must be kept from others
	return any
}

// speaks returns what the listener speaks, on top of TLS or without it.
func (c Connection) speaks(ctx context.Context, address string, secured *tls.Config) (Listener, error) {
	found := Listener{Address: address, Protocol: config.Plaintext}
	authenticates := config.SASLPlaintext
	if secured != nil {
		found.Protocol, authenticates = config.SSL, config.SASLSSL
	}
	if _, err := c.converse(ctx, address, secured, &apiversions.Request{}); err != nil {
		return Listener{}, err
	}
	// Before authentication, a listener with SASL closes the connection on any other request.
	if _, err := c.converse(ctx, address, secured, &apiversions.Request{}, &metadata.Request{TopicNames: []string{}}); err == nil {
		return found, nil
	}
	found.Protocol = authenticates
	// An old broker closes the connection, in place of naming the mechanisms.
	if answer, err := c.converse(ctx, address, secured, &apiversions.Request{}, &saslhandshake.Request{Mechanism: "none"}); err == nil {
		found.Mechanisms = answer.(*saslhandshake.Response).Mechanisms
	}
	return found, nil
}

// converse sends requests on a connection of their own and returns the last answer.
func (c Connection) converse(ctx context.Context, address string, secured *tls.Config, requests ...protocol.Message) (last protocol.Message, err error) {
	dialed, err := (&net.Dialer{Timeout: inspectTimeout}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	if secured != nil {
		dialed = tls.Client(dialed, secured)
	}
	defer dialed.Close()
	if err := dialed.SetDeadline(time.Now().Add(inspectTimeout)); err != nil {
		return nil, err
	}
	conn := protocol.NewConn(dialed, c.ClientID)
	conn.SetVersions(map[protocol.ApiKey]int16{protocol.Metadata: 4, protocol.SaslHandshake: 1}) // of Kafka 1.0 and later
	for _, request := range requests {
		if last, err = conn.RoundTrip(request); err != nil {
			return nil, err
		}
	}
	return last, nil
}
