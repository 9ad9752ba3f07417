package kafka

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/segmentio/kafka-go/sasl"
	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/config"
)

// The payload of AWS_MSK_IAM is documented in https://github.com/aws/aws-msk-iam-auth#details.
func TestMSKIAM(t *testing.T) {
	settings := config.Config{Brokers: []string{"b-1.example.kafka.us-east-1.amazonaws.com:9098"}, Kafka: config.Kafka{Protocol: config.SASLSSL, Mechanism: config.MSKIAM}}
	account := func(t *testing.T) {
		for name, value := range map[string]string{
			"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "hush", "AWS_SESSION_TOKEN": "session",
			"AWS_CONFIG_FILE": "/nonexistent", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent", "AWS_EC2_METADATA_DISABLED": "true", "AWS_PROFILE": "", "AWS_DEFAULT_REGION": "",
		} {
			t.Setenv(name, value)
		}
	}

	t.Run("signs_the_documented_payload", func(t *testing.T) {
		account(t)
		connection, err := NewConnection(t.Context(), settings, "test")
		require.NoError(t, err)
		require.NotNil(t, connection.TLS)
		require.Equal(t, "AWS_MSK_IAM", connection.SASL.Name())
		ctx := sasl.WithMetadata(t.Context(), &sasl.Metadata{Host: "b-1.example.kafka.us-east-1.amazonaws.com", Port: 9098})
		_, first, err := connection.SASL.Start(ctx)
		require.NoError(t, err)
		var payload map[string]string
		require.NoError(t, json.Unmarshal(first, &payload))
		require.Regexp(t, `^\d{8}T\d{6}Z$`, payload["x-amz-date"])
		require.Regexp(t, `^[0-9a-f]{64}$`, payload["x-amz-signature"])
		require.NotEmpty(t, payload["user-agent"])
		require.Equal(t, "AKIDEXAMPLE/"+payload["x-amz-date"][:8]+"/eu-west-1/kafka-cluster/aws4_request", payload["x-amz-credential"])
		for name, want := range map[string]string{
			"version": "2020_10_22", "host": "b-1.example.kafka.us-east-1.amazonaws.com", "action": "kafka-cluster:Connect", "x-amz-algorithm": "AWS4-HMAC-SHA256",
			"x-amz-security-token": "session", "x-amz-signedheaders": "host", "x-amz-expires": "300",
		} {
			require.Equal(t, want, payload[name], name)
		}
		require.Equal(t, payload["x-amz-signature"], signature(t, payload, "hush"))
		require.NotContains(t, string(first), "hush")
	})

	t.Run("needs_a_region", func(t *testing.T) {
		account(t)
		t.Setenv("AWS_REGION", "")
		_, err := NewConnection(t.Context(), settings, "test")
		require.ErrorContains(t, err, "AWS_REGION")
	})
}

// signature computes AWS Signature Version 4 of a presigned request, step by step:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
func signature(t *testing.T, payload map[string]string, secret string) string {
	t.Helper()
	query := url.Values{
		"Action": {payload["action"]}, "X-Amz-Algorithm": {payload["x-amz-algorithm"]}, "X-Amz-Credential": {payload["x-amz-credential"]},
		"X-Amz-Date": {payload["x-amz-date"]}, "X-Amz-Expires": {payload["x-amz-expires"]}, "X-Amz-Security-Token": {payload["x-amz-security-token"]},
		"X-Amz-SignedHeaders": {payload["x-amz-signedheaders"]},
	}
	hash := func(text string) string {
		sum := sha256.Sum256([]byte(text))
		return hex.EncodeToString(sum[:])
	}
	canonical := "GET\n/\n" + query.Encode() + "\nhost:" + payload["host"] + "\n\nhost\n" + hash("")
	access, scope, _ := strings.Cut(payload["x-amz-credential"], "/")
	require.Equal(t, "AKIDEXAMPLE", access)
	key := []byte("AWS4" + secret)
	sign := func(text string) []byte {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(text))
		return mac.Sum(nil)
	}
	for part := range strings.SplitSeq(scope, "/") {
		key = sign(part)
	}
	return hex.EncodeToString(sign("AWS4-HMAC-SHA256\n" + payload["x-amz-date"] + "\n" + scope + "\n" + hash(canonical)))
}
