// Package kafka runs a Kafka broker inside this process: franz-go's kfake, which speaks the real wire protocol and keeps its records on disk.
package kafka

import (
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/twmb/franz-go/pkg/kfake"
)

// Broker is a running broker, a cluster of one.
type Broker struct{ cluster *kfake.Cluster }

// Start starts a broker on 127.0.0.1 with its records under dir. What it has acknowledged survives a kill of the process:
// it is in the operating system's page cache by then, as with Kafka itself.
func Start(port int, dir string, logOutput io.Writer) (*Broker, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	cluster, err := kfake.NewCluster(
		kfake.NumBrokers(1),
		kfake.Ports(port),
		kfake.ClusterID("pinflow-local"),
		kfake.DataDir(dir),
		// A topic that nobody made is a mistake in a name; Kafka's own default would hide it.
		kfake.BrokerConfigs(map[string]string{"auto.create.topics.enable": "false"}),
		kfake.WithLogger(kfake.BasicLogger(logOutput, kfake.LogLevelWarn)),
	)
	if err != nil {
		return nil, fmt.Errorf("kafka in %s: %w", dir, err)
	}
	slog.Debug("kafka listens", "addresses", cluster.ListenAddrs())
	return &Broker{cluster}, nil
}

// Stop stops the broker and writes what is left to disk.
func (b *Broker) Stop() { b.cluster.Close() }
