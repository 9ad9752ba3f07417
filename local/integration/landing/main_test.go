// Package landing tests landing and its clients against a Kafka and an S3 that speak the real
// protocols.
package landing

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pinflow/pinflow/internal/clients/kafka"
	"github.com/pinflow/pinflow/internal/clients/s3"
	"github.com/pinflow/pinflow/internal/config"
	"github.com/pinflow/pinflow/internal/run"
	s3server "github.com/pinflow/pinflow/local/s3"
)

const (
	// patience limits every wait; it is not an expectation of speed.
	patience = time.Minute
	topic    = "u.pin"
)

// TestMain runs this program as the S3 server where it has started itself again for that.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == s3server.Subcommand {
		if err := s3server.Serve(context.Background(), os.Stdin); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	code := m.Run()
	objects.stop()
	os.Exit(code)
}

func deadline(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// newBroker starts a Kafka cluster with the topic.
func newBroker(t testing.TB, partitions int32, opts ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	cluster, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1), kfake.SeedTopics(partitions, topic)}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	return cluster
}

func newReader(t testing.TB, cluster *kfake.Cluster) *kafka.Reader {
	t.Helper()
	reader := kafka.NewReader(kafka.Connection{Brokers: cluster.ListenAddrs(), ClientID: "test"})
	t.Cleanup(reader.Close)
	return reader
}

// newProducer returns another client than the one under test. It writes each record to the
// partition that the record names.
func newProducer(t testing.TB, cluster *kfake.Cluster, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.DefaultProduceTopic(topic), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0),
	}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return client
}

// produce writes records, in batches of their own.
func produce(t testing.TB, client *kgo.Client, records ...*kgo.Record) {
	t.Helper()
	require.NoError(t, client.ProduceSync(deadline(t), records...).FirstErr())
}

func record(partition int32, at time.Time, value string) *kgo.Record {
	return &kgo.Record{Partition: partition, Timestamp: at, Key: []byte("k"), Value: []byte(value)}
}

// objects is the S3 server of all tests with a bucket. The first of them starts it.
var objects sharedServer

type sharedServer struct {
	once    sync.Once
	dir     string
	server  *s3server.Process
	err     error
	buckets atomic.Int64
}

// start starts the server and sets the environment, the only place where the AWS SDK finds its
// settings. They are the same for all tests, so that these can run in parallel.
func (s *sharedServer) start() error {
	s.once.Do(func() {
		if s.dir, s.err = os.MkdirTemp("", "pinflow-landing-"); s.err != nil {
			return
		}
		var listener net.Listener
		if listener, s.err = net.Listen("tcp", "127.0.0.1:0"); s.err != nil {
			return
		}
		address := listener.Addr().String()
		if s.err = listener.Close(); s.err != nil {
			return
		}
		s.server, s.err = s3server.Start(s3server.Options{Address: address, Dir: s.dir, AccessKey: "local", SecretKey: "local-secret", Region: "us-east-1"}, io.Discard)
		for name, value := range awsSettings(address, "local-secret") {
			s.err = errors.Join(s.err, os.Setenv(name, value))
		}
	})
	return s.err
}

func (s *sharedServer) stop() {
	if s.server != nil {
		s.server.Stop()
	}
	_ = os.RemoveAll(s.dir) // a directory for temporary files
}

// newBucket returns a new bucket.
func newBucket(t testing.TB) *s3.Client {
	t.Helper()
	return newBucketNamed(t, fmt.Sprintf("bucket-%d", objects.buckets.Add(1)))
}

func newBucketNamed(t testing.TB, name string) *s3.Client {
	t.Helper()
	require.NoError(t, objects.start())
	client := clientOf(t, name, run.DefaultDeployment)
	created, err := client.EnsureBucket(deadline(t))
	require.NoError(t, err)
	require.True(t, created)
	return client
}

// clientOf returns the client of a deployment to a bucket of the shared server.
func clientOf(t testing.TB, bucket string, deployment run.Deployment) *s3.Client {
	t.Helper()
	client, err := s3.New(deadline(t), config.Config{Bucket: bucket, Deployment: deployment, S3PathStyle: true})
	require.NoError(t, err)
	return client
}

// connect returns a client of another server. The test sets the environment, so it cannot be
// parallel.
func connect(t testing.TB, address, secret string) *s3.Client {
	t.Helper()
	for name, value := range awsSettings(address, secret) {
		t.Setenv(name, value)
	}
	return clientOf(t, "pinflow", run.DefaultDeployment)
}

// awsSettings returns the variables with which the AWS SDK uses a server, whatever the developer's
// own settings are.
func awsSettings(address, secret string) map[string]string {
	return map[string]string{
		"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": secret, "AWS_ENDPOINT_URL_S3": "http://" + address,
		"AWS_CONFIG_FILE": "/nonexistent", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent", "AWS_EC2_METADATA_DISABLED": "true",
	}
}

func freeAddress(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return listener.Addr().String()
}
