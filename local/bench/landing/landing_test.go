//go:build conformance

package landing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pinflow/pinflow/internal/clients/kafka"
	"github.com/pinflow/pinflow/internal/clients/s3"
	"github.com/pinflow/pinflow/internal/config"
	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/local/apachekafka"
	s3server "github.com/pinflow/pinflow/local/s3"
)

const (
	partitions = 3
	valueSize  = 1000 // bytes
	topic      = "u.pin"
	// patience limits one measurement.
	patience = 5 * time.Minute
)

// TestMain runs this program as the S3 server, or as a side of the benchmark, where it has started itself
// again for that.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == s3server.Subcommand {
		if err := s3server.Serve(context.Background(), os.Stdin); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if text := os.Getenv(sideVariable); text != "" {
		if err := runSide(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// measurement is what one side took.
type measurement struct {
	side    string
	records int64
	took    time.Duration
	cpu     time.Duration
	memory  int64 // the largest resident set, in bytes
}

func (m measurement) rate() float64 { return float64(m.records) / m.took.Seconds() }

// TestLanding measures all sides in one run, and prints a table.
func TestLanding(t *testing.T) {
	base, err := strconv.ParseInt(os.Getenv("PINFLOW_BENCH_RECORDS"), 10, 64)
	require.NoError(t, err, "make bench-landing sets PINFLOW_BENCH_RECORDS")
	cluster := apachekafka.Start(t, 1)
	endpoint := startS3(t)
	brokers := cluster.Brokers(config.Plaintext)
	fill(t, cluster, 16*base)
	var all []measurement
	for _, factor := range []int64{1, 4, 16} {
		for _, side := range []string{bare, landed} {
			all = append(all, measure(t, side, brokers, factor*base))
		}
	}
	for _, form := range []string{"raw", "json"} {
		all = append(all, connect(t, form, brokers, endpoint, 16*base))
	}
	var table strings.Builder
	fmt.Fprintf(&table, "| side | records | records/s | of the bare read | CPU s | memory MB |\n|---|---|---|---|---|---|\n")
	read := map[int64]float64{}
	for _, m := range all {
		if m.side == bare {
			read[m.records] = m.rate()
		}
		fmt.Fprintf(&table, "| %s | %d | %.0f | %.2f | %.1f | %d |\n", m.side, m.records, m.rate(), m.rate()/read[m.records], m.cpu.Seconds(), m.memory>>20)
	}
	fmt.Print("\n", table.String())
	if file := os.Getenv("BENCH_OUT"); file != "" {
		require.NoError(t, os.WriteFile(file, []byte(table.String()), 0o644))
	}
}

// fill produces records of 1 KB, as JSON objects.
func fill(t *testing.T, cluster *apachekafka.Cluster, records int64) {
	admin := kafka.NewAdmin(connection(t, cluster.Brokers(config.Plaintext)))
	_, err := admin.CreateTopics(t.Context(), kafka.Topic{Name: topic, Partitions: partitions, Config: kafka.LogAppendTime})
	require.NoError(t, err)
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.Brokers(config.Plaintext)...), kgo.DefaultProduceTopic(topic),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.MaxBufferedRecords(20_000))
	require.NoError(t, err)
	defer client.Close()
	words := strings.Repeat("Some words of a description, as posts have them. ", 20)
	for i := range records {
		value := fmt.Sprintf(`{"index":%d,"unique_id":"fbe53c66-3442-4773-b19e-d3ec6f54dddf","title":"No Title","follower_count":"124k","description":"`, i)
		value += words[:valueSize-len(value)-2] + `"}`
		client.Produce(context.Background(), &kgo.Record{Partition: int32(i % partitions), Value: []byte(value)}, func(_ *kgo.Record, err error) {
			if err != nil {
				t.Errorf("produce: %v", err)
			}
		})
	}
	require.NoError(t, client.Flush(t.Context()))
}

func connection(t *testing.T, brokers []string) kafka.Connection {
	connection, err := kafka.NewConnection(t.Context(), config.Config{Brokers: brokers, Kafka: config.Kafka{Protocol: config.Plaintext}}, "bench")
	require.NoError(t, err)
	return connection
}

// startS3 starts the S3 server, sets the environment for its clients, and returns its endpoint.
func startS3(t *testing.T) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	server, err := s3server.Start(s3server.Options{Address: address, Dir: t.TempDir(), AccessKey: "local", SecretKey: "local-secret", Region: "us-east-1"}, io.Discard)
	require.NoError(t, err)
	t.Cleanup(server.Stop)
	for name, value := range map[string]string{
		"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local-secret", "AWS_ENDPOINT_URL_S3": "http://" + address,
		"AWS_CONFIG_FILE": "/nonexistent", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent", "AWS_EC2_METADATA_DISABLED": "true",
	} {
		t.Setenv(name, value)
	}
	client, err := s3.New(t.Context(), config.Config{Bucket: bucketName, Deployment: run.DefaultDeployment, S3PathStyle: true})
	require.NoError(t, err)
	_, err = client.EnsureBucket(t.Context())
	require.NoError(t, err)
	return "http://" + address
}

// measure runs a side in a process of its own.
func measure(t *testing.T, side string, brokers []string, records int64) measurement {
	in, err := json.Marshal(sideInput{Side: side, Brokers: brokers, Records: records})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), sideVariable+"="+string(in))
	out, err := cmd.Output()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		t.Log(string(failed.Stderr))
	}
	require.NoError(t, err)
	seconds, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
	require.NoError(t, err, string(out))
	return ended(side, records, time.Duration(seconds*float64(time.Second)), cmd.ProcessState)
}

// ended returns the measurement of a process that has ended.
func ended(side string, records int64, took time.Duration, state *os.ProcessState) measurement {
	usage := state.SysUsage().(*syscall.Rusage)
	return measurement{side, records, took, state.UserTime() + state.SystemTime(), usage.Maxrss << 10}
}

// connect lands the records with Kafka Connect and the sink of connect/S3Sink.java. The time is that from
// the first record in S3 to the last committed offset, so that its start does not count.
func connect(t *testing.T, form string, brokers []string, endpoint string, records int64) measurement {
	home := os.Getenv("PINFLOW_CONNECT_HOME")
	require.NotEmpty(t, home, "make bench-landing sets PINFLOW_CONNECT_HOME")
	dir := t.TempDir()
	converter := "org.apache.kafka.connect.converters.ByteArrayConverter"
	if form == "json" {
		converter = "org.apache.kafka.connect.json.JsonConverter"
	}
	worker := map[string]string{
		"bootstrap.servers": strings.Join(brokers, ","), "key.converter": "org.apache.kafka.connect.converters.ByteArrayConverter",
		"value.converter": converter, "value.converter.schemas.enable": "false", "offset.storage.file.filename": filepath.Join(dir, "offsets"),
		"offset.flush.interval.ms": "1000", "listeners": "http://127.0.0.1:0", "plugin.discovery": "hybrid_warn",
		"consumer.auto.offset.reset": "earliest", "consumer.max.poll.records": "5000",
	}
	if form == "raw" {
		delete(worker, "value.converter.schemas.enable")
	}
	name := "bench-" + form
	sink := map[string]string{
		"name": name, "connector.class": "S3Sink", "tasks.max": strconv.Itoa(partitions), "topics": topic, "form": form,
		"endpoint": endpoint, "bucket": bucketName + "/" + name, "access": "local", "secret": "local-secret",
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	log, err := os.Create(filepath.Join(dir, "connect.log"))
	require.NoError(t, err)
	defer log.Close()
	cmd := exec.CommandContext(ctx, "java", "-Xmx1500m", "-cp", filepath.Join(home, "classes")+":"+filepath.Join(home, "jars", "*"),
		"org.apache.kafka.connect.cli.ConnectStandalone", properties(t, dir, "worker", worker), properties(t, dir, "sink", sink))
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(t, cmd.Start())
	client := &kafkago.Client{Addr: kafkago.TCP(brokers...)}
	var first, last time.Time
	for last.IsZero() {
		if ctx.Err() != nil {
			text, _ := os.ReadFile(log.Name())
			require.NoError(t, ctx.Err(), "%s", text[max(0, len(text)-4000):])
		}
		time.Sleep(50 * time.Millisecond)
		committed, err := client.OffsetFetch(ctx, &kafkago.OffsetFetchRequest{GroupID: "connect-" + name, Topics: map[string][]int{topic: {0, 1, 2}}})
		if err != nil {
			continue
		}
		sum := int64(0)
		for _, partition := range committed.Topics[topic] {
			sum += max(partition.CommittedOffset, 0)
		}
		if sum > 0 && first.IsZero() {
			first = time.Now().Add(-time.Second) // the interval of the commits
		}
		if sum == records {
			last = time.Now()
		}
	}
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	_ = cmd.Wait() // it was told to end
	return ended("Kafka Connect, "+form, records, last.Sub(first), cmd.ProcessState)
}

// properties writes a file of properties.
func properties(t *testing.T, dir, name string, all map[string]string) string {
	var text strings.Builder
	for key, value := range all {
		fmt.Fprintf(&text, "%s=%s\n", key, value)
	}
	file := filepath.Join(dir, name+".properties")
	require.NoError(t, os.WriteFile(file, []byte(text.String()), 0o600))
	return file
}
