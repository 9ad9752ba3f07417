// Package apachekafka runs real Apache Kafka for tests: brokers in KRaft mode, processes of Java on
// 127.0.0.1. scripts/install-kafka installs what they need.
package apachekafka

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/pinflow/pinflow/internal/clients/kafka"
	"github.com/pinflow/pinflow/internal/config"
	"github.com/pinflow/pinflow/local/kafka/kafkatest"
)

// HomeVariable names the directory that scripts/install-kafka prints.
const HomeVariable = "PINFLOW_KAFKA_HOME"

// startLimit limits the start of all brokers.
const startLimit = 90 * time.Second

// The user of the listeners with SASL. It may do nothing until it is granted.
const (
	User     = "pin"
	Password = "secret"
)

// Cluster is a cluster of brokers. Each has a listener for each of Kafka's security protocols; on
// PLAINTEXT and SSL, clients may do everything.
type Cluster struct {
	Certificates kafkatest.Certificates
	brokers      []*broker
	quorum       string
	jars         string
}

type broker struct {
	id    int
	dir   string
	ports map[string]int // by the name of the listener
	cmd   *exec.Cmd
}

// listeners are those of each broker.
var listeners = []string{config.Plaintext, config.SSL, config.SASLPlaintext, config.SASLSSL, "CONTROLLER"}

// Start starts a cluster, which is killed at the end of the test.
func Start(t testing.TB, brokers int) *Cluster {
	t.Helper()
	home := os.Getenv(HomeVariable)
	require.NotEmpty(t, home, "make conformance-kafka sets %s", HomeVariable)
	c := &Cluster{Certificates: kafkatest.NewCertificates(t), jars: filepath.Join(home, "jars", "*")}
	var voters []string
	for id := range brokers {
		b := &broker{id: id, dir: t.TempDir(), ports: map[string]int{}}
		for _, name := range listeners {
			b.ports[name] = freePort(t)
		}
		voters = append(voters, fmt.Sprintf("%d@127.0.0.1:%d", id, b.ports["CONTROLLER"]))
		c.brokers = append(c.brokers, b)
	}
	c.quorum = strings.Join(voters, ",")
	for _, b := range c.brokers {
		c.format(t, b)
		c.StartBroker(t, b.id)
		t.Cleanup(func() { c.Kill(t, b.id) })
	}
	c.waitReady(t, brokers)
	return c
}

// Brokers returns the addresses of the listeners with that security protocol.
func (c *Cluster) Brokers(protocol string) (addresses []string) {
	for _, b := range c.brokers {
		addresses = append(addresses, fmt.Sprintf("127.0.0.1:%d", b.ports[protocol]))
	}
	return addresses
}

// Settings returns the settings of a client of that security protocol.
func (c *Cluster) Settings(protocol, mechanism string) config.Config {
	settings := config.Config{Brokers: c.Brokers(protocol), Kafka: config.Kafka{Protocol: protocol, Mechanism: mechanism}}
	if settings.Kafka.TLS() {
		settings.Kafka.CAFile = c.Certificates.CAFile
	}
	if settings.Kafka.SASL() {
		settings.Kafka.Username, settings.Kafka.Password = User, Password
	}
	return settings
}

// Kill kills a broker, as kill -9 does.
func (c *Cluster) Kill(t testing.TB, id int) {
	t.Helper()
	b := c.brokers[id]
	if b.cmd == nil {
		return
	}
	require.NoError(t, b.cmd.Process.Signal(syscall.SIGKILL))
	_ = b.cmd.Wait() // it was killed
	b.cmd = nil
}

// StartBroker starts a broker that does not run.
func (c *Cluster) StartBroker(t testing.TB, id int) {
	t.Helper()
	b := c.brokers[id]
	log, err := os.OpenFile(filepath.Join(b.dir, "broker.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	defer log.Close()
	b.cmd = exec.Command("java", "-Xmx256m", "-cp", c.jars, "kafka.Kafka", b.properties())
	b.cmd.Stdout, b.cmd.Stderr = log, log
	b.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // also if the test is killed
	require.NoError(t, b.cmd.Start())
}

// Log returns the end of the broker's output.
func (c *Cluster) Log(id int) string {
	text, _ := os.ReadFile(filepath.Join(c.brokers[id].dir, "broker.log"))
	return string(text[max(0, len(text)-4000):])
}

func (b *broker) properties() string { return filepath.Join(b.dir, "server.properties") }

// format writes the settings of a broker and formats its directory.
func (c *Cluster) format(t testing.TB, b *broker) {
	t.Helper()
	var bound, advertised, protocols []string
	for _, name := range listeners {
		address := fmt.Sprintf("%s://127.0.0.1:%d", name, b.ports[name])
		bound = append(bound, address)
		protocol := name
		if name == "CONTROLLER" {
			protocol = config.Plaintext
		} else {
			advertised = append(advertised, address)
		}
		protocols = append(protocols, name+":"+protocol)
	}
	keystore := filepath.Join(b.dir, "keystore.pem")
	key, err := os.ReadFile(c.Certificates.ServerKeyFile)
	require.NoError(t, err)
	certificate, err := os.ReadFile(c.Certificates.ServerCertFile)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(keystore, append(key, certificate...), 0o600))
	replicas := min(len(c.brokers), 3)
	lines := []string{
		"process.roles=broker,controller", fmt.Sprintf("node.id=%d", b.id), "controller.quorum.voters=" + c.quorum,
		"listeners=" + strings.Join(bound, ","), "advertised.listeners=" + strings.Join(advertised, ","),
		"listener.security.protocol.map=" + strings.Join(protocols, ","), "controller.listener.names=CONTROLLER", "inter.broker.listener.name=PLAINTEXT",
		"log.dirs=" + filepath.Join(b.dir, "data"), "auto.create.topics.enable=false", "group.initial.rebalance.delay.ms=0",
		"offsets.topic.num.partitions=1", fmt.Sprintf("offsets.topic.replication.factor=%d", replicas), "transaction.state.log.num.partitions=1",
		fmt.Sprintf("transaction.state.log.replication.factor=%d", replicas), fmt.Sprintf("transaction.state.log.min.isr=%d", (replicas+1)/2),
		fmt.Sprintf("default.replication.factor=%d", replicas), fmt.Sprintf("min.insync.replicas=%d", (replicas+1)/2),
		"broker.session.timeout.ms=3000", "broker.heartbeat.interval.ms=500", "replica.lag.time.max.ms=3000",
		"ssl.keystore.type=PEM", "ssl.keystore.location=" + keystore, "ssl.truststore.type=PEM", "ssl.truststore.location=" + c.Certificates.CAFile,
		"sasl.enabled.mechanisms=SCRAM-SHA-512,PLAIN",
		"authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer", "super.users=User:ANONYMOUS",
	}
	for _, name := range []string{"sasl_plaintext", "sasl_ssl"} {
		lines = append(lines,
			"listener.name."+name+".scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;",
			"listener.name."+name+`.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_`+User+`="`+Password+`";`)
	}
	require.NoError(t, os.WriteFile(b.properties(), []byte(strings.Join(lines, "\n")+"\n"), 0o600))
	out, err := exec.Command("java", "-Xmx128m", "-cp", c.jars, "kafka.tools.StorageTool", "format", "--cluster-id", "cGluZmxvdy10ZXN0cy0xMQ",
		"--config", b.properties(), "--add-scram", "SCRAM-SHA-512=[name="+User+",password="+Password+"]").CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// waitReady waits until as many brokers serve clients.
func (c *Cluster) waitReady(t testing.TB, brokers int) {
	t.Helper()
	admin := kafka.NewAdmin(kafka.Connection{Brokers: c.Brokers(config.Plaintext), ClientID: "test"})
	for deadline := time.Now().Add(startLimit); ; time.Sleep(50 * time.Millisecond) {
		alive := 0
		for _, address := range c.Brokers(config.Plaintext) {
			if conn, err := net.DialTimeout("tcp", address, time.Second); err == nil {
				alive++
				require.NoError(t, conn.Close())
			}
		}
		if alive == brokers && admin.Ping(context.Background()) == nil {
			return
		}
		if time.Now().After(deadline) {
			for id := range c.brokers {
				t.Logf("broker %d:\n%s", id, c.Log(id))
			}
			require.FailNow(t, "Kafka does not start")
		}
	}
}

// Allow grants the user an operation on a resource; "*" is every one.
func (c *Cluster) Allow(t testing.TB, resource kmsg.ACLResourceType, name string, operation kmsg.ACLOperation) {
	t.Helper()
	request := kmsg.NewPtrCreateACLsRequest()
	one := kmsg.NewCreateACLsRequestCreation()
	one.ResourceType, one.ResourceName, one.ResourcePatternType = resource, name, kmsg.ACLResourcePatternTypeLiteral
	one.Principal, one.Host, one.Operation, one.PermissionType = "User:"+User, "*", operation, kmsg.ACLPermissionTypeAllow
	request.Creations = append(request.Creations, one)
	client, err := kgo.NewClient(kgo.SeedBrokers(c.Brokers(config.Plaintext)...))
	require.NoError(t, err)
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	answer, err := request.RequestWith(ctx, client)
	require.NoError(t, err)
	require.NoError(t, kerr.ErrorForCode(answer.Results[0].ErrorCode))
}

func freePort(t testing.TB) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}
