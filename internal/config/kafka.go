package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// The values of PINFLOW_KAFKA_SECURITY_PROTOCOL, which are Kafka's security.protocol.
const (
	Plaintext     = "PLAINTEXT"
	SSL           = "SSL"
	SASLPlaintext = "SASL_PLAINTEXT"
	SASLSSL       = "SASL_SSL"
)

// The values of PINFLOW_KAFKA_SASL_MECHANISM, which are Kafka's sasl.mechanism.
const (
	Plain       = "PLAIN"
	ScramSHA256 = "SCRAM-SHA-256"
	ScramSHA512 = "SCRAM-SHA-512"
	MSKIAM      = "AWS_MSK_IAM"
)

var (
	protocols  = []string{Plaintext, SSL, SASLPlaintext, SASLSSL}
	mechanisms = []string{Plain, ScramSHA256, ScramSHA512, MSKIAM}
)

// Kafka is how the brokers are reached, and what `starter setup` gives topics.
type Kafka struct {
	// Protocol is what the brokers' listener speaks: one of Kafka's security protocols.
	Protocol string `env:"SECURITY_PROTOCOL" envDefault:"PLAINTEXT"`
	// Mechanism is how clients authenticate, with SASL.
	Mechanism string `env:"SASL_MECHANISM"`
	// Username and Password are those of PLAIN and SCRAM. The password is a secret.
	Username string `env:"SASL_USERNAME"`
	Password string `env:"SASL_PASSWORD"`
	// CAFile has the certificates, in PEM, that sign those of the brokers; those of the system if it
	// is empty.
	CAFile string `env:"TLS_CA_FILE"`
	// CertFile and KeyFile are the certificate of the client, in PEM, for brokers that ask for one.
	CertFile string `env:"TLS_CERT_FILE"`
	KeyFile  string `env:"TLS_KEY_FILE"`
	// Replication is the replication factor of new topics; the cluster's default if it is 0.
	Replication int `env:"REPLICATION" envDefault:"0"`
	// Retention is how long topics keep records; the cluster's default if it is 0.
	Retention time.Duration `env:"RETENTION" envDefault:"0"`
}

// TLS reports whether connections are encrypted.
func (k Kafka) TLS() bool { return k.Protocol == SSL || k.Protocol == SASLSSL }

// SASL reports whether clients authenticate.
func (k Kafka) SASL() bool { return k.Protocol == SASLPlaintext || k.Protocol == SASLSSL }

// validate returns all mistakes: settings that are missing, that do not go together, or that nothing
// would use.
func (k Kafka) validate() error {
	const prefix = "PINFLOW_KAFKA_"
	var errs []error
	add := func(format string, args ...any) { errs = append(errs, fmt.Errorf(prefix+format, args...)) }
	if !slices.Contains(protocols, k.Protocol) {
		add("SECURITY_PROTOCOL=%q: want %s", k.Protocol, strings.Join(protocols, ", "))
		return errors.Join(errs...)
	}
	password := k.Mechanism != MSKIAM
	switch {
	case !k.SASL() && k.Mechanism != "":
		add("SASL_MECHANISM=%s needs PINFLOW_KAFKA_SECURITY_PROTOCOL=%s, or %s without TLS: it is %s", k.Mechanism, SASLSSL, SASLPlaintext, k.Protocol)
	case !k.SASL() && (k.Username != "" || k.Password != ""):
		add("SASL_USERNAME and PINFLOW_KAFKA_SASL_PASSWORD need PINFLOW_KAFKA_SECURITY_PROTOCOL=%s, or %s without TLS: it is %s", SASLSSL, SASLPlaintext, k.Protocol)
	case !k.SASL():
	case k.Mechanism == "":
		add("SASL_MECHANISM is missing: PINFLOW_KAFKA_SECURITY_PROTOCOL=%s needs %s", k.Protocol, strings.Join(mechanisms, ", "))
	case !slices.Contains(mechanisms, k.Mechanism):
		add("SASL_MECHANISM=%q: want %s", k.Mechanism, strings.Join(mechanisms, ", "))
	case k.Mechanism == MSKIAM && !k.TLS():
		add("SASL_MECHANISM=%s needs PINFLOW_KAFKA_SECURITY_PROTOCOL=%s: MSK has no such listener without TLS", MSKIAM, SASLSSL)
	case !password && (k.Username != "" || k.Password != ""):
		add("SASL_MECHANISM=%s takes the AWS credentials: leave PINFLOW_KAFKA_SASL_USERNAME and PINFLOW_KAFKA_SASL_PASSWORD empty", MSKIAM)
	case password && k.Username == "":
		add("SASL_USERNAME is missing: PINFLOW_KAFKA_SASL_MECHANISM=%s needs it", k.Mechanism)
	case password && k.Password == "":
		add("SASL_PASSWORD is missing: PINFLOW_KAFKA_SASL_MECHANISM=%s needs it", k.Mechanism)
	}
	for name, value := range map[string]string{"TLS_CA_FILE": k.CAFile, "TLS_CERT_FILE": k.CertFile, "TLS_KEY_FILE": k.KeyFile} {
		if value != "" && !k.TLS() {
			add("%s=%s needs PINFLOW_KAFKA_SECURITY_PROTOCOL=%s or %s: it is %s", name, value, SSL, SASLSSL, k.Protocol)
		}
	}
	if (k.CertFile == "") != (k.KeyFile == "") {
		add("TLS_CERT_FILE and PINFLOW_KAFKA_TLS_KEY_FILE go together: set both, or none")
	}
	if k.Replication < 0 {
		add("REPLICATION=%d: want 1 or more, or 0 for the cluster's default", k.Replication)
	}
	if k.Retention < 0 || k.Retention > 0 && k.Retention < time.Hour {
		add("RETENTION=%s: want 1h or more, as in 168h, or 0 for the cluster's default", k.Retention)
	}
	return errors.Join(errs...)
}
