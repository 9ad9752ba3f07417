package kinesis

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/stretchr/testify/require"
)

func TestWire(t *testing.T) {
	t.Parallel()
	now := time.Now()
	s := started(t, t.TempDir(), &now)
	t.Cleanup(s.Stop)
	s.credentials = Credentials{AccessKey: "key", SecretKey: "secret"}
	for name, body := range map[string]string{
		"no JSON":           `{`,
		"a list":            `[]`,
		"data not base64":   `{"StreamName": "s", "PartitionKey": "k", "Data": "no base64!"}`,
		"a number as name":  `{"StreamName": 7}`,
		"a number as data":  `{"Data": 7}`,
		"a fractional size": `{"StreamName": "s", "ShardCount": 1.5}`,
	} {
		t.Run(name+"_is_SerializationException", func(t *testing.T) {
			for _, operation := range []string{"PutRecord", "CreateStream"} {
				if operation == "CreateStream" == strings.Contains(name, "size") {
					status, text := send(t, s, operation, body, now, nil)
					require.Equal(t, http.StatusBadRequest, status, name)
					require.Contains(t, text, `"__type":"SerializationException"`)
				}
			}
		})
	}
	t.Run("missing_members_are_ValidationException", func(t *testing.T) {
		for operation, body := range map[string]string{
			"PutRecord": `{"StreamName": "s", "PartitionKey": "k"}`, "PutRecords": `{"StreamName": "s", "Records": [{"PartitionKey": "k"}]}`, "CreateStream": `{}`,
		} {
			status, text := send(t, s, operation, body, now, nil)
			require.Equal(t, http.StatusBadRequest, status)
			require.Contains(t, text, `"__type":"ValidationException"`)
		}
	})
	t.Run("CBOR_is_refused_with_what_to_do", func(t *testing.T) {
		_, text := send(t, s, "ListStreams", "", now, func(r *http.Request) { r.Header.Set("Content-Type", "application/x-amz-cbor-1.1") })
		require.Contains(t, text, "AWS_CBOR_DISABLE")
	})
	t.Run("a_signature_is_valid_for_5_minutes", func(t *testing.T) {
		for skew, want := range map[time.Duration]int{4 * time.Minute: 200, -4 * time.Minute: 200, 6 * time.Minute: 400, -6 * time.Minute: 400} {
			status, text := send(t, s, "ListStreams", "{}", now.Add(skew), nil)
			require.Equal(t, want, status, "%s %s", skew, text)
		}
	})
	t.Run("a_request_that_was_changed_is_refused", func(t *testing.T) {
		for name, change := range map[string]func(*http.Request){
			"body":   func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader(`{"Limit":1}`)) },
			"target": func(r *http.Request) { r.Header.Set("X-Amz-Target", targetPrefix+"DeleteStream") },
			"host":   func(r *http.Request) { r.Host = "rebound.example" },
		} {
			status, text := send(t, s, "ListStreams", `{"Limit":2}`, now, change)
			require.Equal(t, http.StatusBadRequest, status, name)
			require.Contains(t, text, "InvalidSignatureException", name)
		}
	})
	t.Run("a_request_of_more_than_16_MiB_is_refused", func(t *testing.T) {
		_, text := send(t, s, "PutRecord", `"`+strings.Repeat("x", maxBody)+`"`, now, nil)
		require.Contains(t, text, "too large")
	})
}

// send signs a request, changes it after that, and returns the response.
func send(t *testing.T, s *Server, operation, body string, at time.Time, change func(*http.Request)) (int, string) {
	r := httptest.NewRequest(http.MethodPost, "http://"+s.Address()+"/", strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	r.Header.Set("X-Amz-Target", targetPrefix+operation)
	hash := sha256.Sum256([]byte(body))
	credentials := aws.Credentials{AccessKeyID: "key", SecretAccessKey: "secret"}
	require.NoError(t, v4.NewSigner().SignHTTP(context.Background(), credentials, r, hex.EncodeToString(hash[:]), service, "us-east-1", at))
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}
