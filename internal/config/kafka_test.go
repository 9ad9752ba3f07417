package config

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestKafka(t *testing.T) {
	load := func(t *testing.T, settings ...string) (Config, error) {
		t.Helper()
		machine(t)
		text := ""
		for _, setting := range settings {
			text += "PINFLOW_KAFKA_" + setting + "\n"
		}
		return Load(file(t, "kafka", text))
	}

	t.Run("has_the_names_of_kafkas_own_settings", func(t *testing.T) {
		for name, test := range map[string]struct {
			settings []string
			want     Kafka
		}{
			"nothing": {nil, Kafka{Protocol: "PLAINTEXT"}},
			"empty, as in .env.example": {[]string{"SECURITY_PROTOCOL=PLAINTEXT", "SASL_MECHANISM=", "SASL_USERNAME=", "TLS_CA_FILE=", "REPLICATION=0", "RETENTION=0"},
				Kafka{Protocol: "PLAINTEXT"}},
			"TLS": {[]string{"SECURITY_PROTOCOL=SSL", "TLS_CA_FILE=ca.pem", "TLS_CERT_FILE=c.pem", "TLS_KEY_FILE=k.pem"},
				Kafka{Protocol: "SSL", CAFile: "ca.pem", CertFile: "c.pem", KeyFile: "k.pem"}},
			"SCRAM": {[]string{"SECURITY_PROTOCOL=SASL_SSL", "SASL_MECHANISM=SCRAM-SHA-512", "SASL_USERNAME=pin", "SASL_PASSWORD=hush"},
				Kafka{Protocol: "SASL_SSL", Mechanism: "SCRAM-SHA-512", Username: "pin", Password: "hush"}},
			"MSK": {[]string{"SECURITY_PROTOCOL=SASL_SSL", "SASL_MECHANISM=AWS_MSK_IAM"}, Kafka{Protocol: "SASL_SSL", Mechanism: "AWS_MSK_IAM"}},
			"topics": {[]string{"REPLICATION=3", "RETENTION=336h"},
				Kafka{Protocol: "PLAINTEXT", Replication: 3, Retention: 14 * 24 * time.Hour}},
		} {
			t.Run(name, func(t *testing.T) {
				c, err := load(t, test.settings...)
				require.NoError(t, err)
				require.Equal(t, test.want, c.Kafka)
			})
		}
	})

	t.Run("says_what_is_missing_or_does_not_go_together", func(t *testing.T) {
		for name, test := range map[string]struct {
			settings []string
			says     string
		}{
			"protocol":          {[]string{"SECURITY_PROTOCOL=TLS"}, `PINFLOW_KAFKA_SECURITY_PROTOCOL="TLS": want PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL`},
			"no mechanism":      {[]string{"SECURITY_PROTOCOL=SASL_SSL"}, "PINFLOW_KAFKA_SASL_MECHANISM is missing"},
			"mechanism":         {[]string{"SECURITY_PROTOCOL=SASL_SSL", "SASL_MECHANISM=GSSAPI"}, `PINFLOW_KAFKA_SASL_MECHANISM="GSSAPI": want PLAIN`},
			"no user":           {[]string{"SECURITY_PROTOCOL=SASL_SSL", "SASL_MECHANISM=PLAIN", "SASL_PASSWORD=hush"}, "PINFLOW_KAFKA_SASL_USERNAME is missing"},
			"no password":       {[]string{"SECURITY_PROTOCOL=SASL_SSL", "SASL_MECHANISM=PLAIN", "SASL_USERNAME=pin"}, "PINFLOW_KAFKA_SASL_PASSWORD is missing"},
			"SASL for nothing":  {[]string{"SASL_MECHANISM=SCRAM-SHA-512"}, "needs PINFLOW_KAFKA_SECURITY_PROTOCOL=SASL_SSL"},
			"user for nothing":  {[]string{"SECURITY_PROTOCOL=SSL", "SASL_USERNAME=pin", "SASL_PASSWORD=hush"}, "PINFLOW_KAFKA_SASL_USERNAME and PINFLOW_KAFKA_SASL_PASSWORD need"},
			"IAM without TLS":   {[]string{"SECURITY_PROTOCOL=SASL_PLAINTEXT", "SASL_MECHANISM=AWS_MSK_IAM"}, "needs PINFLOW_KAFKA_SECURITY_PROTOCOL=SASL_SSL"},
			"IAM with password": {[]string{"SECURITY_PROTOCOL=SASL_SSL", "SASL_MECHANISM=AWS_MSK_IAM", "SASL_PASSWORD=hush"}, "takes the AWS credentials"},
			"CA for nothing":    {[]string{"TLS_CA_FILE=ca.pem"}, "PINFLOW_KAFKA_TLS_CA_FILE=ca.pem needs"},
			"half a pair":       {[]string{"SECURITY_PROTOCOL=SSL", "TLS_CERT_FILE=c.pem"}, "go together"},
			"replication":       {[]string{"REPLICATION=-1"}, "PINFLOW_KAFKA_REPLICATION=-1"},
			"retention":         {[]string{"RETENTION=7s"}, "PINFLOW_KAFKA_RETENTION=7s"},
		} {
			t.Run(name, func(t *testing.T) {
				_, err := load(t, test.settings...)
				require.ErrorContains(t, err, test.says)
				require.NotContains(t, err.Error(), "hush")
			})
		}
	})
}
