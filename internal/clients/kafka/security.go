package kafka

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/aws_msk_iam_v2"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"

	"github.com/pinflow/pinflow/internal/config"
)

// NewConnection returns how a program connects with the settings. It reads the files that they name
// and finds the AWS credentials, but does not connect.
func NewConnection(ctx context.Context, settings config.Config, clientID string) (Connection, error) {
	connection := Connection{Brokers: settings.Brokers, ClientID: clientID}
	var err error
	if settings.Kafka.TLS() {
		if connection.TLS, err = tlsOf(settings.Kafka); err != nil {
			return Connection{}, err
		}
	}
	if settings.Kafka.SASL() {
		connection.SASL, err = mechanismOf(ctx, settings.Kafka)
	}
	return connection, err
}

// tlsOf returns the settings of TLS.
func tlsOf(settings config.Kafka) (*tls.Config, error) {
	secured := &tls.Config{MinVersion: tls.VersionTLS12}
	if settings.CAFile != "" {
		text, err := os.ReadFile(settings.CAFile)
		if err != nil {
			return nil, fmt.Errorf("PINFLOW_KAFKA_TLS_CA_FILE: %w", err)
		}
		secured.RootCAs = x509.NewCertPool()
		if !secured.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("PINFLOW_KAFKA_TLS_CA_FILE=%s has no certificate in PEM", settings.CAFile)
		}
	}
	if settings.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(settings.CertFile, settings.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("PINFLOW_KAFKA_TLS_CERT_FILE=%s and PINFLOW_KAFKA_TLS_KEY_FILE=%s: %w", settings.CertFile, settings.KeyFile, err)
		}
		secured.Certificates = []tls.Certificate{pair}
	}
	return secured, nil
}

// mechanismOf returns how clients authenticate.
func mechanismOf(ctx context.Context, settings config.Kafka) (sasl.Mechanism, error) {
	switch settings.Mechanism {
	case config.Plain:
		return plain.Mechanism{Username: settings.Username, Password: settings.Password}, nil
	case config.ScramSHA256:
		return scram.Mechanism(scram.SHA256, settings.Username, settings.Password)
	case config.ScramSHA512:
		return scram.Mechanism(scram.SHA512, settings.Username, settings.Password)
	}
	account, err := awsconfig.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("the AWS settings for PINFLOW_KAFKA_SASL_MECHANISM=%s: %w", config.MSKIAM, err)
	}
	if account.Region == "" {
		return nil, errors.New("PINFLOW_KAFKA_SASL_MECHANISM=" + config.MSKIAM + " needs a region: set AWS_REGION")
	}
	return aws_msk_iam_v2.NewMechanism(account), nil // which asks for credentials again when they expire
}
