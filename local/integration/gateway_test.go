package integration

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
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

// process is a running gateway.
type process struct {
	*exec.Cmd
	url   string
	stdin io.WriteCloser
	logs  *bytes.Buffer
}

// startGateway starts the gateway on an address, "127.0.0.1:0" for one that is free, and waits
// until it is healthy.
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

// send sends a produce request and returns the status and the response.
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

func TestGateway(t *testing.T) {
	t.Run("writes_records_to_kafka", func(t *testing.T) {
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
	})

	t.Run("drains_on_sigterm_and_when_its_parent_ends", func(t *testing.T) {
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
	})

	t.Run("is_unhealthy_without_kafka_and_recovers", func(t *testing.T) {
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
	})
}

// Brokers that are left alone go on with the metadata that they have.
func TestReadiness(t *testing.T) {
	t.Parallel()
	cluster, faults := faultyBroker(t, 3, 3)
	t.Cleanup(cluster.Close)
	producer := produces(t, cluster, kafka.ProducerConfig{})
	serves := func(name string) bool { return name == topic }
	ready := func() error { return producer.Ready(deadline(t), serves) }
	admin := kafka.NewAdmin(kafka.Connection{Brokers: cluster.ListenAddrs()})
	require.NoError(t, admin.ChangeTopics(deadline(t), kafka.Difference{Topic: topic, Setting: "min.insync.replicas", Want: "2"}))
	require.NoError(t, ready())
	faults.kill(cluster.ListenAddrs()[1])
	time.Sleep(2 * time.Second)
	require.NoError(t, ready(), "one of three")
	faults.kill(cluster.ListenAddrs()[1:]...)
	require.Eventually(t, func() bool { return ready() != nil }, patience, 50*time.Millisecond)
	require.ErrorContains(t, ready(), "1 of the in-sync replicas answer, 2 are required")
	faults.kill()
	require.Eventually(t, func() bool { return ready() == nil }, patience, 50*time.Millisecond)
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
