package e2e

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/dates"
	"github.com/pinflow/pinflow/local/reference"
)

// chaosDates is how many past dates have records.
const chaosDates = 20

// TestChaos lets records arrive and many short dates run while everything fails: programs are killed,
// connections are cut, and S3 and Databricks give wrong answers or none. In the end no record that was
// acknowledged is missing or there twice, the answers are those of the landed records, and each try
// had one Databricks run. CHAOS_DURATION and CHAOS_SEED: see `make chaos`.
func TestChaos(t *testing.T) {
	t.Parallel()
	t.Run("loses_and_doubles_nothing", func(t *testing.T) {
		onOwn.enter(t)
		lasts, err := time.ParseDuration(cmp.Or(os.Getenv("CHAOS_DURATION"), "60s"))
		require.NoError(t, err)
		seed, err := strconv.ParseUint(cmp.Or(os.Getenv("CHAOS_SEED"), strconv.FormatInt(time.Now().UnixNano(), 10)), 10, 64)
		require.NoError(t, err)
		t.Logf("CHAOS_SEED=%d injects in the same order", seed)
		c := startChaos(t, seed)
		c.rage(lasts)
		c.report(lasts)
		c.settle()
		c.requireExactlyOnce()
		c.requireAnswersOfTheLanded()
		c.requireOneRunATry()
	})
}

// chaos is a system of which everything fails.
type chaos struct {
	*system
	faults    *faults
	submits   *submits
	kafka     *chaosTCP
	temporal  *chaosTCP
	direct    *system // the system without the proxies
	first     dates.Date
	second    *process // the second worker
	stackArgs []string
	programs  sync.Mutex // held while programs are killed and started

	mu    sync.Mutex
	acked map[string]int // how often each place was acknowledged: topic, partition and offset
	posts int            // requests that were acknowledged
}

func startChaos(t *testing.T, seed uint64) *chaos {
	c := &chaos{
		system: newSystem(t), acked: map[string]int{}, submits: &submits{runs: map[string]map[int64]bool{}},
		faults: &faults{random: rand.New(rand.NewPCG(seed, seed)), counts: map[string]int{}}, first: dates.Of(time.Now()).Add(-chaosDates),
	}
	at := func(base int) string { return "127.0.0.1:" + port(t, base, c.offset) }
	proxies := newSystem(t) // its ports are those of the proxies
	c.kafka = newChaosTCP(t, "Kafka", "127.0.0.1:"+port(t, 9092, proxies.offset), at(9092))
	c.temporal = newChaosTCP(t, "Temporal", "127.0.0.1:"+port(t, 7233, proxies.offset), at(7233))
	c.stackArgs = []string{"--kafka-advertised-port", port(t, 9092, proxies.offset)}
	c.launchStack()
	c.direct = &system{t: t, data: c.data, offset: c.offset, env: slices.Clone(c.env)}
	c.env = append(c.env,
		"PINFLOW_KAFKA_BROKERS="+c.kafka.Listen, "TEMPORAL_ADDRESS="+c.temporal.Listen,
		"AWS_ENDPOINT_URL_S3="+chaosS3(t, c.setting("AWS_ENDPOINT_URL_S3"), c.faults),
		"DATABRICKS_HOST="+chaosDatabricks(t, c.setting("DATABRICKS_HOST"), c.faults, c.submits))
	c.makeTopics()
	c.direct.must("setup")
	c.produceHistory()
	c.worker, c.second, c.gate = c.start("workers"), c.startSecond(), c.start("gateway")
	c.waitHealthy("PINFLOW_GATEWAY_URL", "")
	c.waitHealthy("PINFLOW_WORKER_ADDRESS", "http://")
	return c
}

// launchStack starts the stack, or starts it again with its settings.
func (c *chaos) launchStack() {
	stack, env, err := launchStack(c.data, c.offset, c.stackArgs...)
	if stack != nil {
		c.stack = c.owned(stack)
	}
	if err != nil {
		c.t.Errorf("the stack does not start: %v", err)
		return
	}
	if c.env == nil {
		c.env = env
	}
}

// startSecond starts a worker beside the first one.
func (c *chaos) startSecond() *process {
	env := append(slices.Clone(c.env), "PINFLOW_WORKER_ADDRESS=127.0.0.1:"+port(c.t, 8233, freeOffset(c.t)))
	second := &system{t: c.t, data: c.data, offset: c.offset, env: env}
	return second.start("workers")
}

func (c *chaos) kafkaClient() *kafkago.Client {
	return &kafkago.Client{Addr: kafkago.TCP(c.direct.setting("PINFLOW_KAFKA_BROKERS")), Timeout: patience}
}

// makeTopics creates the topics with the producers' times: records of past dates have to be there.
func (c *chaos) makeTopics() {
	request := &kafkago.CreateTopicsRequest{}
	for _, kind := range kinds {
		request.Topics = append(request.Topics, kafkago.TopicConfig{
			Topic: c.topic(kind), NumPartitions: 3, ReplicationFactor: 1,
			ConfigEntries: []kafkago.ConfigEntry{{ConfigName: "message.timestamp.type", ConfigValue: "CreateTime"}},
		})
	}
	made, err := c.kafkaClient().CreateTopics(c.t.Context(), request)
	require.NoError(c.t, err)
	for topic, err := range made.Errors {
		require.NoError(c.t, err, topic)
	}
}

func (c *chaos) topic(kind string) string {
	return cmp.Or(settingOf(c.env, "PINFLOW_USER_ID"), "pinflow") + "." + kind
}

// produceHistory produces the records of the past dates.
func (c *chaos) produceHistory() {
	for kind, lines := range reference.Generate(7, chaosDates*12) {
		for partition := range 3 {
			var records []kafkago.Record
			for i := partition; i < len(lines); i += 3 {
				date := c.first.Add(i * chaosDates / len(lines))
				records = append(records, kafkago.Record{Time: date.Start().Add(time.Duration(i) * time.Second), Value: kafkago.NewBytes(jsonOf(lines[i]))})
			}
			produced, err := c.kafkaClient().Produce(c.t.Context(), &kafkago.ProduceRequest{
				Topic: c.topic(kind), Partition: partition, RequiredAcks: kafkago.RequireAll, Records: kafkago.NewRecordReader(records...),
			})
			require.NoError(c.t, err)
			require.NoError(c.t, produced.Error)
			for i := range records {
				c.acked[place(c.topic(kind), partition, produced.BaseOffset+int64(i))]++
			}
		}
	}
}

// jsonOf returns a record as it is posted: one that is no JSON is a JSON string.
func jsonOf(line string) []byte {
	if json.Valid([]byte(line)) {
		return []byte(line)
	}
	quoted, _ := json.Marshal(line) // a text always is
	return quoted
}

func place(topic string, partition int, offset int64) string {
	return fmt.Sprintf("%s/%d/%d", topic, partition, offset)
}

// report prints the faults by kind.
func (c *chaos) report(lasts time.Duration) {
	var text strings.Builder
	for _, kind := range slices.Sorted(maps.Keys(c.faults.counts)) {
		fmt.Fprintf(&text, "%6d  %s\n", c.faults.counts[kind], kind)
	}
	c.t.Logf("%d faults in %s:\n%s", c.faults.total(), lasts, text.String())
}
