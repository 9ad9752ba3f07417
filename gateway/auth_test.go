package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// withKey returns a produce request with another key.
func withKey(key, body string) *http.Request {
	r := post("pinflow.pin", body)
	r.Header.Set(apiKeyHeader, key)
	return r
}

const oneRecord = `{"records":[{"value":1}]}`

// writeKeys writes new keys to a file, and returns the keys by their names.
func writeKeys(t *testing.T, file string, lines ...string) (keys map[string]string) {
	keys = map[string]string{}
	var text string
	for _, line := range lines {
		name, limit, _ := strings.Cut(line, " ")
		printed, err := newKey(name)
		require.NoError(t, err)
		key, entry, _ := strings.Cut(strings.TrimSpace(printed), "\n")
		keys[name] = key
		text += entry + " " + limit + "\n"
		require.NotContains(t, text, key, "only its hash is kept")
	}
	require.NoError(t, os.WriteFile(file, []byte("# keys\n\n"+text), 0o600))
	return keys
}

func TestKeysOfAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys")
	first := writeKeys(t, file, "ann", "bob 5/s")
	var logs bytes.Buffer
	server := newTestServer(t, newFakeBroker("pinflow.pin"), func(o *Options) {
		o.APIKeys, o.APIKeysFile, o.Log = []string{"env=from-the-environment"}, file, slog.New(slog.NewTextHandler(&logs, nil))
	})
	for _, key := range []string{first["ann"], first["bob"], "from-the-environment"} {
		require.Equal(t, http.StatusOK, serve(t, server, withKey(key, oneRecord)).Code)
	}
	require.Equal(t, http.StatusForbidden, serve(t, server, withKey("env=from-the-environment", oneRecord)).Code)
	metrics := serve(t, server, httptest.NewRequest(http.MethodGet, "/metrics", nil)).Body.String()
	for _, name := range []string{"ann", "bob", "env"} {
		require.Contains(t, metrics, fmt.Sprintf(`pinflow_gateway_requests_total{code="200",key="%s",route="POST /topics/{topic}"} 1`, name))
	}

	t.Run("change_without_a_restart", func(t *testing.T) {
		second := writeKeys(t, file, "ann", "cem")
		require.NoError(t, os.Chtimes(file, time.Time{}, time.Now().Add(time.Minute)))
		require.NoError(t, server.keys.reload())
		for key, status := range map[string]int{second["ann"]: 200, second["cem"]: 200, first["ann"]: 403, first["bob"]: 403, "from-the-environment": 200} {
			require.Equal(t, status, serve(t, server, withKey(key, oneRecord)).Code)
		}

		require.NoError(t, os.WriteFile(file, []byte("dan sha256:0123"), 0o600))
		require.ErrorContains(t, server.keys.reload(), "line 1")
		require.Equal(t, http.StatusOK, serve(t, server, withKey(second["ann"], oneRecord)).Code, "a wrong file changes nothing")
	})
}

func TestWrongKeys(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys")
	hash := strings.Repeat("ab", 32)
	for text, says := range map[string]string{
		"ann":                             "line 1: 1 fields",
		"\n# x\nann sha256:12":            "line 3: the second field is no SHA-256",
		"ann sha256:" + hash + " fast":    "no number of records a second",
		"ann sha256:" + hash + " 0/s":     "no number of records a second",
		"a/b sha256:" + hash:              "line 1",
		"ann " + hash + "\nann " + hash:   "two API keys have the name ann",
		"ann sha256:" + hash + " 1/s 2/s": "line 1",
		"key-1 sha256:" + hash:            "two API keys have the name key-1",
	} {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		_, err := NewServer(Options{APIKeys: []string{"k"}, APIKeysFile: file, Limits: DefaultLimits})
		require.ErrorContains(t, err, says, text)
		require.NotContains(t, err.Error(), hash)
	}
	_, err := NewServer(Options{APIKeysFile: file + "-missing", Limits: DefaultLimits})
	require.ErrorIs(t, err, os.ErrNotExist)
	for _, known := range []string{exampleKey, "me=" + exampleKey} {
		_, err = NewServer(Options{APIKeys: []string{known}, Limits: DefaultLimits})
		require.ErrorContains(t, err, "change-me")
	}
	_, err = newKey("not a name")
	require.Error(t, err)
}

func TestShares(t *testing.T) {
	t.Run("a_client_leaves_room_for_others", func(t *testing.T) {
		broker := newFakeBroker("pinflow.pin")
		arrived, release := holding(broker)
		server := newTestServer(t, broker, func(o *Options) { o.Limits.InFlightRequests = 4 })
		var all sync.WaitGroup
		for range 2 {
			all.Go(func() { serve(t, server, withKey("other-key", oneRecord)) })
			<-arrived
		}
		require.Equal(t, http.StatusTooManyRequests, serve(t, server, withKey("other-key", oneRecord)).Code)
		all.Go(func() {
			if w := serve(t, server, withKey(testKey, oneRecord)); w.Code != http.StatusOK {
				t.Errorf("answer %d %s", w.Code, w.Body)
			}
		})
		<-arrived
		close(release)
		all.Wait()
	})

	t.Run("a_key_may_send_so_many_records_in_a_second", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "keys")
		key := writeKeys(t, file, "bob 5/s")["bob"]
		server := newTestServer(t, newFakeBroker("pinflow.pin"), func(o *Options) { o.APIKeysFile, o.Limits.Records = file, 20 })
		twenty := `{"records":[` + strings.TrimSuffix(strings.Repeat(`{"value":1},`, 20), ",") + `]}`
		require.Equal(t, http.StatusOK, serve(t, server, withKey(key, twenty)).Code, "the largest request passes")
		w := serve(t, server, withKey(key, twenty))
		requireProblem(t, w, 429, 429)
		after, err := strconv.Atoi(w.Header().Get("Retry-After"))
		require.NoError(t, err)
		require.InDelta(t, 4, after, 1, "20 records at 5 a second")
		require.Equal(t, http.StatusOK, serve(t, server, post("pinflow.pin", twenty)).Code, "others are not limited")
	})
}

func TestGuessedKeys(t *testing.T) {
	var logs bytes.Buffer
	server := newTestServer(t, newFakeBroker("pinflow.pin"), func(o *Options) { o.Log = slog.New(slog.NewJSONHandler(&logs, nil)) })
	for range 2000 {
		w := serve(t, server, withKey("guess", oneRecord))
		require.Equal(t, http.StatusForbidden, w.Code)
		require.Equal(t, "close", w.Header().Get("Connection"))
	}
	require.Less(t, logs.Len(), 20_000, "14,000 bytes a request were 28 MB")
	require.Contains(t, logs.String(), `"status":403`)
}

func TestHealthOfStrangers(t *testing.T) {
	broker, logs := newFakeBroker(), bytes.Buffer{}
	broker.down = errors.New("dial tcp 10.0.0.7:9092: connection refused")
	server := newTestServer(t, broker, func(o *Options) { o.Log = slog.New(slog.NewJSONHandler(&logs, nil)) })
	w := serve(t, server, httptest.NewRequest(http.MethodGet, "/healthz", nil))
	require.Equal(t, http.StatusServiceUnavailable, w.Code)
	require.NotContains(t, w.Body.String(), "10.0.0.7")
	require.Contains(t, logs.String(), "10.0.0.7")
}

func TestDrainDelay(t *testing.T) {
	broker := newFakeBroker("pinflow.pin")
	server := newTestServer(t, broker, func(o *Options) { o.DrainDelay = 300 * time.Millisecond })
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, end := context.WithCancelCause(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, listener) }()
	requireAlive(t, listener.Addr().String())
	end(errors.New("the test ends it"))
	probe := httptest.NewRequest(http.MethodGet, "/healthz", nil)
	require.Eventually(t, func() bool { return serve(t, server, probe).Code == http.StatusServiceUnavailable }, patience, time.Millisecond)
	requireAlive(t, listener.Addr().String()) // load balancers have not noticed yet
	require.NoError(t, <-served)
	require.True(t, broker.closed)
}

// writeCertificate writes a certificate for 127.0.0.1 with that serial number.
func writeCertificate(t *testing.T, folder string, serial int64) (file, key string) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "gateway"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	require.NoError(t, err)
	encoded, err := x509.MarshalECPrivateKey(private)
	require.NoError(t, err)
	file, key = filepath.Join(folder, "tls.crt"), filepath.Join(folder, "tls.key")
	require.NoError(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: encoded}), 0o600))
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}), 0o600))
	return file, key
}

func TestTLS(t *testing.T) {
	folder := t.TempDir()
	file, key := writeCertificate(t, folder, 1)
	own, err := newCertificate(file, key, slog.New(slog.NewTextHandler(io.Discard, nil)))
	require.NoError(t, err)
	address := listening(t, newTestServer(t, newFakeBroker("pinflow.pin"), func(o *Options) { o.TLS = own.config() }))
	serial := func() int64 {
		conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true})
		require.NoError(t, err)
		defer func() { require.NoError(t, conn.Close()) }()
		_, err = io.WriteString(conn, head(testKey, int64(len(oneRecord)))+oneRecord)
		require.NoError(t, err)
		status, _, body := responseOf(t, conn)
		require.Equal(t, http.StatusOK, status, body)
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	require.EqualValues(t, 1, serial())

	t.Run("a_renewed_certificate_needs_no_restart", func(t *testing.T) {
		later := func(by time.Duration) {
			require.NoError(t, os.Chtimes(file, time.Time{}, time.Now().Add(by)))
			own.mu.Lock()
			own.looked = time.Time{}
			own.mu.Unlock()
		}
		require.NoError(t, os.WriteFile(file, []byte("half a file"), 0o600))
		later(time.Minute)
		require.EqualValues(t, 1, serial(), "one that is wrong changes nothing")
		writeCertificate(t, folder, 2)
		later(2 * time.Minute)
		require.EqualValues(t, 2, serial())
	})

	t.Run("wrong_files_are_named", func(t *testing.T) {
		_, err := newCertificate(filepath.Join(folder, "missing"), key, nil)
		require.ErrorContains(t, err, "PINFLOW_GATEWAY_TLS_CERT_FILE")
		_, err = newCertificate(file, filepath.Join(folder, "missing"), nil)
		require.ErrorContains(t, err, "PINFLOW_GATEWAY_TLS_KEY_FILE")
	})
}
