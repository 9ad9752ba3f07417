package integration

import (
	"crypto/tls"
	"testing"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/pinflow/pinflow/internal/clients/fault"
	"github.com/pinflow/pinflow/internal/clients/kafka"
	"github.com/pinflow/pinflow/internal/config"
	"github.com/pinflow/pinflow/local/kafka/kafkatest"
)

// secured starts a cluster with TLS and the user "pin".
func secured(t *testing.T, mechanism string) (*kfake.Cluster, kafkatest.Certificates) {
	t.Helper()
	certificates := kafkatest.NewCertificates(t)
	opts := []kfake.Opt{kfake.TLS(certificates.Server(t))}
	if mechanism != "" {
		opts = append(opts, kfake.EnableSASL(), kfake.Superuser(mechanism, "pin", "secret"))
	}
	return broker(t, 1, opts...), certificates
}

// roundTrip produces a record, fetches it, and returns the first error.
func roundTrip(t *testing.T, settings config.Config) error {
	t.Helper()
	ctx := deadline(t)
	connection, err := kafka.NewConnection(ctx, settings, "test")
	if err != nil {
		return err
	}
	producer, err := kafka.NewProducer(kafka.ProducerConfig{Connection: connection})
	require.NoError(t, err)
	defer func() { require.NoError(t, producer.Close(ctx)) }()
	acks, err := producer.Produce(ctx, topic, []kafka.Message{{Value: []byte("{}")}})
	if err != nil {
		return kafka.Classify(err)
	}
	require.NoError(t, acks[0].Err)
	reader := kafka.NewReader(connection)
	defer reader.Close()
	records, _, err := reader.Fetch(ctx, topic, 0, acks[0].Offset, 1<<20)
	if err == nil {
		require.Len(t, records, 1)
	}
	return kafka.Classify(err)
}

func TestSecuredKafka(t *testing.T) {
	t.Run("takes_records_with_the_right_settings", func(t *testing.T) {
		for _, mechanism := range []string{"", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
			t.Run("TLS "+mechanism, func(t *testing.T) {
				cluster, certificates := secured(t, mechanism)
				settings := config.Config{Brokers: cluster.ListenAddrs(), Kafka: config.Kafka{Protocol: config.SSL, CAFile: certificates.CAFile}}
				if mechanism != "" {
					settings.Kafka = config.Kafka{Protocol: config.SASLSSL, Mechanism: mechanism, Username: "pin", Password: "secret", CAFile: certificates.CAFile}
				}
				require.NoError(t, roundTrip(t, settings))
			})
		}
		t.Run("without TLS", func(t *testing.T) {
			cluster := broker(t, 1, kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-512", "pin", "secret"))
			require.NoError(t, roundTrip(t, config.Config{Brokers: cluster.ListenAddrs(), Kafka: config.Kafka{
				Protocol: config.SASLPlaintext, Mechanism: "SCRAM-SHA-512", Username: "pin", Password: "secret",
			}}))
		})
		t.Run("with a certificate of the client", func(t *testing.T) {
			certificates := kafkatest.NewCertificates(t)
			server := certificates.Server(t)
			server.ClientAuth, server.ClientCAs = tls.RequireAndVerifyClientCert, certificates.Pool
			settings := config.Config{Brokers: broker(t, 1, kfake.TLS(server)).ListenAddrs(), Kafka: config.Kafka{Protocol: config.SSL, CAFile: certificates.CAFile}}
			require.ErrorContains(t, roundTrip(t, settings), "PINFLOW_KAFKA_TLS_CERT_FILE")
			settings.Kafka.CertFile, settings.Kafka.KeyFile = certificates.ClientCertFile, certificates.ClientKeyFile
			require.NoError(t, roundTrip(t, settings))
		})
	})

	// kfake closes the connection where Kafka says that it rejects the credentials.
	t.Run("says_which_setting_is_wrong", func(t *testing.T) {
		cluster, certificates := secured(t, "SCRAM-SHA-512")
		right := config.Kafka{Protocol: config.SASLSSL, Mechanism: "SCRAM-SHA-512", Username: "pin", Password: "secret", CAFile: certificates.CAFile}
		for name, test := range map[string]struct {
			change func(*config.Kafka)
			kind   fault.Kind
			says   string
		}{
			"password":  {func(k *config.Kafka) { k.Password = "other" }, fault.Unreachable, "PINFLOW_KAFKA_SASL_PASSWORD"},
			"user":      {func(k *config.Kafka) { k.Username = "other" }, fault.Unreachable, "PINFLOW_KAFKA_SASL_USERNAME"},
			"CA":        {func(k *config.Kafka) { k.CAFile = "" }, fault.Unauthenticated, "PINFLOW_KAFKA_TLS_CA_FILE"},
			"no TLS":    {func(k *config.Kafka) { k.Protocol = config.Plaintext }, fault.Unreachable, "PINFLOW_KAFKA_SECURITY_PROTOCOL"},
			"no SASL":   {func(k *config.Kafka) { k.Protocol = config.SSL }, fault.Unreachable, "PINFLOW_KAFKA_SECURITY_PROTOCOL"},
			"no CAFile": {func(k *config.Kafka) { k.CAFile = "/nonexistent/ca.pem" }, fault.Unknown, "PINFLOW_KAFKA_TLS_CA_FILE: open /nonexistent/ca.pem"},
		} {
			t.Run(name, func(t *testing.T) {
				settings := config.Config{Brokers: cluster.ListenAddrs(), Kafka: right}
				test.change(&settings.Kafka)
				err := roundTrip(t, settings)
				require.ErrorContains(t, err, test.says)
				require.Equal(t, test.kind, fault.KindOf(err), "%v", err)
				require.NotContains(t, err.Error(), "make stack", "a stack on this machine is not the way out")
			})
		}
	})

	t.Run("classifies_what_brokers_answer", func(t *testing.T) {
		for err, says := range map[error]string{
			kafkago.UnsupportedSASLMechanism: "PINFLOW_KAFKA_SASL_MECHANISM",
			kafkago.IllegalSASLState:         "PINFLOW_KAFKA_SECURITY_PROTOCOL",
		} {
			require.ErrorContains(t, kafka.Classify(err), says)
			require.Equal(t, fault.Unauthenticated, fault.KindOf(kafka.Classify(err)))
		}
	})
}

func TestInspect(t *testing.T) {
	t.Run("tells_what_the_listener_speaks", func(t *testing.T) {
		for want, opts := range map[string][]kfake.Opt{
			config.Plaintext:     nil,
			config.SSL:           {kfake.TLS(kafkatest.NewCertificates(t).Server(t))},
			config.SASLPlaintext: {kfake.EnableSASL()},
			config.SASLSSL:       {kfake.EnableSASL(), kfake.TLS(kafkatest.NewCertificates(t).Server(t))},
		} {
			t.Run(want, func(t *testing.T) {
				t.Parallel()
				cluster := broker(t, 1, opts...)
				found, err := kafka.Connection{Brokers: cluster.ListenAddrs(), ClientID: "test"}.Inspect(deadline(t))
				require.NoError(t, err)
				require.Equal(t, want, found.Protocol)
				require.Equal(t, cluster.ListenAddrs()[0], found.Address)
				require.Equal(t, want == config.SASLPlaintext || want == config.SASLSSL, len(found.Mechanisms) > 0)
			})
		}
	})
}

func TestPermissions(t *testing.T) {
	const user = "pin"
	allow := func(resource kmsg.ACLResourceType, name string, operation kmsg.ACLOperation) kfake.ACL {
		return kfake.ACL{Resource: resource, Name: name, Pattern: kmsg.ACLResourcePatternTypeLiteral, Operation: operation, Allow: true}
	}
	ask := func(t *testing.T, acls ...kfake.ACL) kafka.Permissions {
		t.Helper()
		cluster := broker(t, 1, kfake.EnableSASL(), kfake.EnableACLs(), kfake.User("SCRAM-SHA-512", user, "secret", acls...))
		connection, err := kafka.NewConnection(deadline(t), config.Config{Brokers: cluster.ListenAddrs(), Kafka: config.Kafka{
			Protocol: config.SASLPlaintext, Mechanism: config.ScramSHA512, Username: user, Password: "secret",
		}}, "test")
		require.NoError(t, err)
		found, err := kafka.NewAdmin(connection).Permissions(deadline(t), []string{topic, "pinflow.none"}, "pinflow-landing")
		require.NoError(t, err)
		require.True(t, found.Known)
		return found
	}

	t.Run("tells_what_is_allowed", func(t *testing.T) {
		found := ask(t, allow(kmsg.ACLResourceTypeTopic, topic, kmsg.ACLOperationRead), allow(kmsg.ACLResourceTypeGroup, "pinflow-landing", kmsg.ACLOperationRead))
		require.True(t, found.Topics[topic][kafka.Read])
		require.True(t, found.Topics[topic][kafka.Describe], "Read implies Describe")
		require.False(t, found.Topics[topic][kafka.Write])
		require.False(t, found.Topics[topic][kafka.AlterConfigs])
		require.True(t, found.Group[kafka.Read])
	})

	t.Run("without_acls_all_is_allowed", func(t *testing.T) {
		admin := kafka.NewAdmin(kafka.Connection{Brokers: broker(t, 1).ListenAddrs()})
		found, err := admin.Permissions(deadline(t), []string{topic}, "pinflow-landing")
		require.NoError(t, err)
		for _, operation := range []kafka.Operation{kafka.Describe, kafka.Read, kafka.Write, kafka.DescribeConfigs, kafka.AlterConfigs} {
			require.True(t, found.Topics[topic][operation], "%s", operation)
		}
		require.True(t, found.Group[kafka.Read])
	})

	t.Run("a_topic_that_may_not_be_described_has_none", func(t *testing.T) {
		found := ask(t)
		require.Empty(t, found.Topics[topic])
		require.Contains(t, found.Topics, topic)
		require.False(t, found.Group[kafka.Read])
	})
}
