package main

import (
	"errors"
	"strings"
	"testing"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/clients/kafka"
	"github.com/pinflow/pinflow/internal/config"
	"github.com/pinflow/pinflow/starter/exit"
)

// allowing returns what the cluster allows if an operation is missing on all topics, or on the group.
func allowing(w *world, missing kafka.Operation, onGroup bool) *kafka.Permissions {
	every := func(but kafka.Operation) map[kafka.Operation]bool {
		all := map[kafka.Operation]bool{kafka.Read: true, kafka.Write: true, kafka.Describe: true, kafka.DescribeConfigs: true, kafka.AlterConfigs: true}
		delete(all, but)
		return all
	}
	found := &kafka.Permissions{Known: true, Topics: map[string]map[kafka.Operation]bool{}, Group: every(0)}
	for _, topic := range w.topics.there {
		found.Topics[topic.Name] = every(missing)
		if onGroup {
			found.Topics[topic.Name] = every(0)
		}
	}
	if onGroup {
		found.Group = every(missing)
	}
	return found
}

func TestDoctorOnKafka(t *testing.T) {
	t.Parallel()
	closed := errors.New("unexpected EOF")
	for name, row := range map[string]struct {
		change func(*world)
		mark   string
		code   int
		want   []string
	}{
		"TLS and SASL are missing": {func(w *world) {
			w.down["kafka"], w.settings.Kafka.Protocol = closed, config.Plaintext
			w.topics.listener = kafka.Listener{Address: "b-1:9096", Protocol: config.SASLSSL, Mechanisms: []string{"SCRAM-SHA-512", "AWS_MSK_IAM"}}
		}, "FAIL", exit.Unreachable, []string{"topics", "the listener at b-1:9096 speaks SASL_SSL, the settings have PLAINTEXT",
			"set PINFLOW_KAFKA_SECURITY_PROTOCOL=SASL_SSL and PINFLOW_KAFKA_SASL_MECHANISM to one of SCRAM-SHA-512, AWS_MSK_IAM", "unexpected EOF"}},
		"another mechanism": {func(w *world) {
			w.down["kafka"] = kafkago.UnsupportedSASLMechanism
			w.settings.Kafka = config.Kafka{Protocol: config.SASLSSL, Mechanism: config.Plain}
			w.topics.listener = kafka.Listener{Address: "b-1:9096", Protocol: config.SASLSSL, Mechanisms: []string{"SCRAM-SHA-512"}}
		}, "FAIL", exit.Unreachable, []string{"topics", "the listener at b-1:9096 offers SCRAM-SHA-512, the settings have PLAIN"}},
		"a wrong password": {func(w *world) {
			w.down["kafka"] = kafkago.SASLAuthenticationFailed
			w.settings.Kafka = config.Kafka{Protocol: config.SASLSSL, Mechanism: config.ScramSHA512, Username: "pin", Password: "hush"}
			w.topics.listener = kafka.Listener{Address: "b-1:9096", Protocol: config.SASLSSL, Mechanisms: []string{"SCRAM-SHA-512"}}
		}, "FAIL", exit.Unreachable, []string{"topics", "Kafka rejected the credentials", "PINFLOW_KAFKA_SASL_PASSWORD"}},
		"no Write": {func(w *world) { w.topics.allowed = allowing(w, kafka.Write, false) }, "FAIL", exit.Failed,
			[]string{"permissions", "Write on topic pinflow.pin is not allowed (the gateway produces with it)", "kafka-acls"}},
		"no Read": {func(w *world) { w.topics.allowed = allowing(w, kafka.Read, false) }, "FAIL", exit.Failed,
			[]string{"permissions", "Read on topic pinflow.geo is not allowed (the worker lands with it)"}},
		"no Read on the group": {func(w *world) {
			w.settings.Kafka = config.Kafka{Protocol: config.SASLSSL, Mechanism: config.ScramSHA512, Username: "pin", Password: "hush"}
			w.topics.allowed = allowing(w, kafka.Read, true)
		}, "FAIL", exit.Failed, []string{"permissions", "Read on group pinflow-landing is not allowed", "User:pin"}},
		"no Describe": {func(w *world) {
			w.topics.allowed = &kafka.Permissions{Known: true, Topics: map[string]map[kafka.Operation]bool{"pinflow.pin": {}}, Group: map[kafka.Operation]bool{kafka.Read: true}}
			w.topics.there = w.topics.there[1:]
		}, "FAIL", exit.Failed, []string{"topics", "Describe on topic pinflow.pin is not allowed"}},
		"no AlterConfigs": {func(w *world) { w.topics.allowed = allowing(w, kafka.AlterConfigs, false) }, "WARN", exit.Done,
			[]string{"permissions", "AlterConfigs on topic pinflow.user is not allowed", "--change-topics"}},
		"the producer's time": {func(w *world) {
			w.topics.different = []kafka.Difference{{Topic: "pinflow.pin", Setting: "message.timestamp.type", Have: "CreateTime", Want: "LogAppendTime"}}
		}, "WARN", exit.Done, []string{"topic settings", "message.timestamp.type is CreateTime, the settings have LogAppendTime", "starter setup --change-topics"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := ready(t)
			row.change(w)
			code, stdout, _ := w.starter(t, "doctor")
			require.Equal(t, row.code, code, stdout)
			require.NotContains(t, stdout, "hush")
			var found []string
			for line := range strings.Lines(stdout) {
				if !strings.HasPrefix(line, "ok") {
					found = append(found, line)
				}
			}
			if name == "no Describe" {
				found = found[:1] // the permissions say it again
			}
			require.Len(t, found, 1, stdout)
			require.True(t, strings.HasPrefix(found[0], row.mark+"  Kafka"), found[0])
			for _, want := range row.want {
				require.Contains(t, found[0], want)
			}
		})
	}
}

func TestSetupOfTopics(t *testing.T) {
	t.Parallel()
	w := ready(t)
	shorter := kafka.Difference{Topic: "pinflow.pin", Setting: "retention.ms", Have: "604800000", Want: "3600000"}
	kept := kafka.Difference{Topic: "pinflow.geo", Setting: "partitions", Have: "6", Want: "3", Kept: true}
	w.topics.different = []kafka.Difference{shorter, kept}
	code, stdout, stderr := w.starter(t, "setup")
	require.Zero(t, code, stderr)
	golden(t, "setup-different-topics", stdout)
	require.Equal(t, []kafka.Difference{shorter, kept}, w.topics.different, "nothing is changed unasked")
	_, stdout, _ = w.starter(t, "setup", "--change-topics")
	golden(t, "setup-changed-topics", stdout)
	require.Equal(t, []kafka.Difference{kept}, w.topics.different)
}
