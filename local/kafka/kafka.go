// Package kafka runs a Kafka broker inside this process: franz-go's kfake, with the real wire
// protocol, its records on disk, and times of records as Kafka sets them.
package kafka

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"

	"github.com/twmb/franz-go/pkg/kfake"
)

// Broker is a running broker, a cluster of one.
type Broker struct{ cluster *kfake.Cluster }

// Start starts a broker on 127.0.0.1 with its records under dir. Acknowledged records survive a
// kill of the process: as with Kafka itself, they are in the page cache of the operating system.
// Clients are told the advertised port, as of a proxy before the broker; 0 is its own.
func Start(port, advertised int, dir string, logOutput io.Writer) (*Broker, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	var told net.Addr
	if advertised != 0 {
		told = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: advertised}
	}
	cluster, err := newCluster(told,
		kfake.NumBrokers(1),
		kfake.Ports(port),
		kfake.ClusterID("pinflow-local"),
		kfake.DataDir(dir),
		// An unknown topic is a mistake in a name, which Kafka's default of creating it would hide.
		kfake.BrokerConfigs(map[string]string{"auto.create.topics.enable": "false"}),
		kfake.WithLogger(kfake.BasicLogger(logOutput, kfake.LogLevelWarn)),
	)
	if err != nil {
		return nil, fmt.Errorf("kafka in %s: %w", dir, err)
	}
	slog.Debug("kafka listens", "addresses", cluster.ListenAddrs())
	return &Broker{cluster}, nil
}

// Stop stops the broker and flushes its records to disk.
func (b *Broker) Stop() { b.cluster.Close() }
