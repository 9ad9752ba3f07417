// Package kafkatest has certificates for tests of secured Kafka.
package kafkatest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Certificates are a CA and what it has signed, in PEM files.
type Certificates struct {
	Pool *x509.CertPool
	// CAFile is the certificate of the CA.
	CAFile string
	// ServerCertFile and ServerKeyFile are of a broker at 127.0.0.1.
	ServerCertFile, ServerKeyFile string
	// ClientCertFile and ClientKeyFile are of a client.
	ClientCertFile, ClientKeyFile string
}

// NewCertificates writes certificates into a directory of the test.
func NewCertificates(t testing.TB) Certificates {
	t.Helper()
	dir := t.TempDir()
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	c := Certificates{Pool: x509.NewCertPool()}
	sign := func(serial int64, name string, public *x509.Certificate) (certificate, private string) {
		own := key
		if public != authority {
			own, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			require.NoError(t, err)
		}
		public.SerialNumber = big.NewInt(serial)
		signed, err := x509.CreateCertificate(rand.Reader, public, authority, &own.PublicKey, key)
		require.NoError(t, err)
		encoded, err := x509.MarshalPKCS8PrivateKey(own)
		require.NoError(t, err)
		certificate, private = filepath.Join(dir, name+".pem"), filepath.Join(dir, name+"-key.pem")
		require.NoError(t, os.WriteFile(certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed}), 0o600))
		require.NoError(t, os.WriteFile(private, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}), 0o600))
		return certificate, private
	}
	leaf := func(usage x509.ExtKeyUsage, name string) *x509.Certificate {
		return &x509.Certificate{
			Subject: pkix.Name{CommonName: name}, NotBefore: authority.NotBefore, NotAfter: authority.NotAfter,
			IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{usage}, KeyUsage: x509.KeyUsageDigitalSignature,
		}
	}
	c.CAFile, _ = sign(1, "ca", authority)
	c.ServerCertFile, c.ServerKeyFile = sign(2, "server", leaf(x509.ExtKeyUsageServerAuth, "broker"))
	c.ClientCertFile, c.ClientKeyFile = sign(3, "client", leaf(x509.ExtKeyUsageClientAuth, "pin"))
	text, err := os.ReadFile(c.CAFile)
	require.NoError(t, err)
	c.Pool.AppendCertsFromPEM(text)
	return c
}

// Server returns the TLS settings of a broker.
func (c Certificates) Server(t testing.TB) *tls.Config {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(c.ServerCertFile, c.ServerKeyFile)
	require.NoError(t, err)
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
}
