//go:build conformance

package e2e

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/pinflow/pinflow/internal/config"
	"github.com/pinflow/pinflow/local/apachekafka"
)

func TestApacheKafka(t *testing.T) {
	t.Parallel()
	// From the gateway to the answers, with starter, gateway and worker on a secured listener of real
	// Apache Kafka.
	t.Run("runs_the_daily_dag", func(t *testing.T) {
		onShared.enter(t)
		cluster := apachekafka.Start(t, 1)
		for _, resource := range []kmsg.ACLResourceType{kmsg.ACLResourceTypeTopic, kmsg.ACLResourceTypeGroup} {
			cluster.Allow(t, resource, "*", kmsg.ACLOperationAll)
		}
		s := startTenant(t,
			"PINFLOW_KAFKA_BROKERS="+strings.Join(cluster.Brokers(config.SASLSSL), ","), "PINFLOW_KAFKA_SECURITY_PROTOCOL=SASL_SSL",
			"PINFLOW_KAFKA_SASL_MECHANISM=SCRAM-SHA-512", "PINFLOW_KAFKA_SASL_USERNAME="+apachekafka.User, "PINFLOW_KAFKA_SASL_PASSWORD="+apachekafka.Password,
			"PINFLOW_KAFKA_TLS_CA_FILE="+cluster.Certificates.CAFile)
		s.post(wire.lines(t), 0, 1)
		s.must("run", today(), "--wait")
		requireAnswers(t, wire.expected(t, 1), s.exportAnswers())
		_, found, _ := s.starter("doctor")
		require.Regexp(t, `ok +Kafka +permissions`, found)
		require.Regexp(t, `ok +Kafka +topic settings`, found)

		// doctor names what is wrong.
		for setting, says := range map[string]string{
			"PINFLOW_KAFKA_SASL_PASSWORD=other":              "PINFLOW_KAFKA_SASL_PASSWORD",
			"PINFLOW_KAFKA_SASL_MECHANISM=SCRAM-SHA-256":     "offers",
			"PINFLOW_KAFKA_SECURITY_PROTOCOL=SASL_PLAINTEXT": "needs PINFLOW_KAFKA_SECURITY_PROTOCOL=SSL or SASL_SSL",
		} {
			other := *s
			other.env = append(append([]string{}, s.env...), setting)
			code, found, errors := other.starter("doctor")
			require.NotZero(t, code)
			require.Contains(t, found+errors, says, setting)
			t.Logf("%s:\n%s%s", setting, found, errors)
		}
	})
}
