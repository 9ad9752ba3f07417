package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/pinflow/pinflow/internal/clients/kafka"
	"github.com/pinflow/pinflow/internal/posts"
)

// gatewayProgram builds the gateway once.
var gatewayProgram = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "pinflow-gateway-")
	if err != nil {
		return "", err
	}
	cmd := exec.Command("go", "build", "-o", filepath.Join(dir, "gateway"), "./gateway")
	cmd.Dir = "../.."
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the gateway: %w\n%s", err, out)
	}
	return filepath.Join(dir, "gateway"), nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if program, err := gatewayProgram(); err == nil {
		_ = os.RemoveAll(filepath.Dir(program))
	}
	os.Exit(code)
}

// process is a gateway that runs.
type process struct {
	*exec.Cmd
	url   string
	stdin io.WriteCloser
	logs  *bytes.Buffer
}

// startGateway starts the gateway on an address, "127.0.0.1:0" for one that is free, and waits until it is healthy.
func startGateway(t testing.TB, brokers []string, address string) *process {
	t.Helper()
	program, err := gatewayProgram()
	require.NoError(t, err)
	if strings.HasSuffix(address, ":0") {
		listener, err := net.Listen("tcp", address)
		require.NoError(t, err)
		address = listener.Addr().String()
		require.NoError(t, listener.Close())
	}
	p := &process{Cmd: exec.Command(program), url: "http://" + address, logs: &bytes.Buffer{}}
	p.Dir = t.TempDir()
	p.Env = append(os.Environ(), "PINFLOW_EXIT_WITH_STDIN=1", "PINFLOW_API_KEYS=key", "PINFLOW_GATEWAY_ADDRESS="+address,
		"PINFLOW_KAFKA_BROKERS="+strings.Join(brokers, ","), "PINFLOW_USER_ID=pinflow")
	p.Stderr = p.logs
	p.stdin, err = p.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, p.Start())
	t.Cleanup(func() {
		if p.ProcessState == nil {
			_ = p.Process.Kill()
			_ = p.Wait()
		}
	})
	require.Eventually(t, func() bool {
		answer, err := http.Get(p.url + "/healthz")
		if err != nil {
			return false
		}
		_ = answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	}, patience, 10*time.Millisecond)
	return p
}

// send makes a produce request and returns the status and the answer.
func send(url, topic, body string) (int, string, error) {
	r, err := http.NewRequest(http.MethodPost, url+"/topics/"+topic, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	r.Header.Set("Content-Type", "application/vnd.kafka.json.v2+json")
	r.Header.Set("x-api-key", "key")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(text), err
}

func TestGateway_WritesRecordsToKafka(t *testing.T) {
	cluster := broker(t, 1)
	g := startGateway(t, cluster.ListenAddrs(), "127.0.0.1:0")
	status, text, err := send(g.url, topic, `{"records":[{"key":"7","value":{"n": 12345678901234567890}},{"value":null}]}`)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status, text)
	require.JSONEq(t, `{"offsets":[{"partition":0,"offset":0,"error_code":null,"error":null},{"partition":0,"offset":1,"error_code":null,"error":null}],
		"key_schema_id":null,"value_schema_id":null}`, text)
	records := readAll(t, cluster, 2)
	require.Equal(t, `{"n": 12345678901234567890}`, string(records[0].Value))
	require.Equal(t, "7", string(records[0].Key))
	require.Nil(t, records[1].Value)

	status, text, err = send(g.url, "pinflow.nothing", `{"records":[{"value":1}]}`)
	require.NoError(t, err)
	require.Equal(t, http.StatusNotFound, status)
	require.Contains(t, text, "40401")
}

func TestGateway_DrainsOnSIGTERMAndWhenItsParentEnds(t *testing.T) {
	for name, end := range map[string]func(*process) error{
		"SIGTERM":           func(p *process) error { return p.Process.Signal(syscall.SIGTERM) },
		"end of its parent": func(p *process) error { return p.stdin.Close() },
		"SIGINT, as Ctrl-C": func(p *process) error { return p.Process.Signal(os.Interrupt) },
	} {
		t.Run(name, func(t *testing.T) {
			cluster := broker(t, 1)
			g := startGateway(t, cluster.ListenAddrs(), "127.0.0.1:0")
			held, release := make(chan struct{}), make(chan struct{})
			cluster.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
				cluster.SleepControl(func() { close(held); <-release })
				return nil, nil, false
			})
			status := make(chan int, 1)
			go func() {
				code, _, err := send(g.url, topic, `{"records":[{"value":1}]}`)
				if err != nil {
					t.Error(err)
				}
				status <- code
			}()
			<-held
			require.NoError(t, end(g))
			require.Eventually(t, func() bool {
				conn, err := net.Dial("tcp", strings.TrimPrefix(g.url, "http://"))
				if err == nil {
					_ = conn.Close()
				}
				return err != nil
			}, patience, time.Millisecond)
			close(release)
			require.Equal(t, http.StatusOK, <-status)
			require.NoError(t, g.Wait(), g.logs)
			require.Equal(t, 1, count(t, cluster))
		})
	}
}

func TestGateway_IsUnhealthyWithoutKafkaAndHealsWithIt(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, topic))
	require.NoError(t, err)
	var port int
	_, err = fmt.Sscanf(cluster.ListenAddrs()[0], "127.0.0.1:%d", &port)
	require.NoError(t, err)
	g := startGateway(t, cluster.ListenAddrs(), "127.0.0.1:0")
	health := func(want int) func() bool {
		return func() bool {
			answer, err := http.Get(g.url + "/healthz")
			require.NoError(t, err)
			_ = answer.Body.Close()
			return answer.StatusCode == want
		}
	}
	cluster.Close()
	require.Eventually(t, health(http.StatusServiceUnavailable), patience, 20*time.Millisecond)
	cluster, err = kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, topic), kfake.Ports(port))
	require.NoError(t, err)
	defer cluster.Close()
	require.Eventually(t, health(http.StatusOK), patience, 20*time.Millisecond)
	status, text, err := send(g.url, topic, `{"records":[{"value":1}]}`)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status, text)
}

// emulation posts through a gateway.
func emulation(url string, n int) posts.EmitInput {
	return posts.EmitInput{Source: posts.NewGenerator(), URL: url, APIKey: "key", Topic: func(kind string) string { return "pinflow." + kind }, Posts: n}
}

func TestEmulation_ArrivesWholeAndInOrderThoughTheGatewayIsKilled(t *testing.T) {
	cluster := broker(t, 3)
	_, err := kafka.NewAdmin(kafka.Connection{Brokers: cluster.ListenAddrs()}).CreateTopics(deadline(t),
		kafka.Topic{Name: "pinflow.geo", Partitions: 3}, kafka.Topic{Name: "pinflow.user", Partitions: 3})
	require.NoError(t, err)
	const lines, keys = 3000, 60
	dir := t.TempDir()
	for _, kind := range posts.Kinds {
		var text bytes.Buffer
		for i := range lines {
			fmt.Fprintf(&text, "{\"index\": %d, \"version\": %d}\n", i%keys, i)
		}
		require.NoError(t, os.WriteFile(filepath.Join(dir, kind+".jsonl"), text.Bytes(), 0o600))
	}
	g := startGateway(t, cluster.ListenAddrs(), "127.0.0.1:0")
	in := emulation(g.url, 0)
	in.Source, err = posts.OpenJSONLines(dir)
	require.NoError(t, err)
	in.Batch = 20
	third := make(chan struct{})
	var once sync.Once
	in.Progress = func(p posts.EmitProgress) {
		if p.Done > p.Total/3 {
			once.Do(func() { close(third) })
		}
	}
	emitted := make(chan error, 1)
	go func() {
		_, err := posts.Emit(deadline(t), in)
		emitted <- err
	}()
	<-third
	require.NoError(t, g.Process.Kill())
	_ = g.Wait() // it reports the kill
	startGateway(t, cluster.ListenAddrs(), strings.TrimPrefix(g.url, "http://"))
	require.NoError(t, <-emitted)
	for _, kind := range posts.Kinds {
		requireVersions(t, readTopic(t, cluster, "pinflow."+kind), lines)
	}
}

// requireVersions checks that all versions are there, and that within a key the first copies of them count up, and the last ones too:
// what is repeated is repeated in order.
func requireVersions(t *testing.T, records []*kgo.Record, n int) {
	t.Helper()
	seen := map[int]bool{}
	check := func(records []*kgo.Record, step int) {
		clear(seen)
		last := map[string]int{}
		for _, r := range records {
			var value struct{ Index, Version int }
			require.NoError(t, json.Unmarshal(r.Value, &value))
			require.Equal(t, strconv.Itoa(value.Index), string(r.Key))
			if seen[value.Version] {
				continue
			}
			seen[value.Version] = true
			if before, ok := last[string(r.Key)]; ok {
				require.Positive(t, step*(value.Version-before), "version %d of key %s after %d", value.Version, r.Key, before)
			}
			last[string(r.Key)] = value.Version
		}
		require.Len(t, seen, n)
	}
	check(records, 1)
	slices.Reverse(records)
	check(records, -1)
}

// readTopic reads all records of a topic.
func readTopic(t *testing.T, cluster *kfake.Cluster, name string) []*kgo.Record {
	t.Helper()
	total := 0
	for _, info := range cluster.PartitionInfos(name) {
		total += int(info.HighWatermark)
	}
	return readRecords(t, cluster, name, total)
}

// BenchmarkGateway posts to a running gateway in front of Kafka; an operation is one record.
func BenchmarkGateway(b *testing.B) {
	for _, batch := range []int{1, 100, 500} {
		for _, clients := range []int{1, 16} {
			b.Run(fmt.Sprintf("records=%d/clients=%d", batch, clients), func(b *testing.B) {
				cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, topic))
				require.NoError(b, err)
				defer cluster.Close()
				g := startGateway(b, cluster.ListenAddrs(), "127.0.0.1:0")
				row := string(posts.Row("pin", 7528))
				body := `{"records":[{"key":"7528","value":` + row + `}` + strings.Repeat(`,{"key":"7529","value":`+row+`}`, batch-1) + `]}`
				http.DefaultTransport.(*http.Transport).MaxIdleConnsPerHost = clients
				b.SetBytes(int64(len(row)))
				b.ResetTimer()
				work := make(chan struct{})
				var wg sync.WaitGroup
				for range clients {
					wg.Go(func() {
						for range work {
							if status, text, err := send(g.url, topic, body); err != nil || status != http.StatusOK {
								b.Errorf("%d %s %v", status, text, err)
							}
						}
					})
				}
				for n := 0; n < b.N; n += batch {
					work <- struct{}{}
				}
				close(work)
				wg.Wait()
			})
		}
	}
}

// BenchmarkEmulation posts a day of generated posts; an operation is the whole day.
func BenchmarkEmulation(b *testing.B) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, "pinflow.pin", "pinflow.geo", "pinflow.user"))
	require.NoError(b, err)
	defer cluster.Close()
	g := startGateway(b, cluster.ListenAddrs(), "127.0.0.1:0")
	b.ResetTimer()
	for range b.N {
		_, err := posts.Emit(context.Background(), emulation(g.url, 5000))
		require.NoError(b, err)
	}
}
