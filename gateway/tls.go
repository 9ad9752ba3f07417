package main

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificateInterval is how often the files of the certificate are looked at.
const certificateInterval = 10 * time.Second

// certificate is the gateway's certificate. It is read again when its file changes, so that a renewed
// one needs no restart.
type certificate struct {
	file, key string
	log       *slog.Logger

	mu     sync.Mutex
	loaded *tls.Certificate
	read   fileVersion
	looked time.Time
}

// newCertificate reads a certificate and its key, in PEM.
func newCertificate(file, key string, log *slog.Logger) (*certificate, error) {
	c := &certificate{file: file, key: key, log: log}
	return c, c.load()
}

// load reads the files if the certificate's has changed.
func (c *certificate) load() error {
	c.looked = time.Now()
	info, err := os.Stat(c.file)
	if err != nil {
		return fmt.Errorf("PINFLOW_GATEWAY_TLS_CERT_FILE: %w", err)
	}
	version := fileVersion{info.ModTime(), info.Size()}
	if version == c.read {
		return nil
	}
	pair, err := tls.LoadX509KeyPair(c.file, c.key)
	if err != nil {
		return fmt.Errorf("PINFLOW_GATEWAY_TLS_CERT_FILE and PINFLOW_GATEWAY_TLS_KEY_FILE: %w", err)
	}
	c.loaded, c.read = &pair, version
	return nil
}

// get returns the certificate for a connection; it is a tls.Config's GetCertificate. While one is
// being replaced, file and key do not belong together: the former one is used until they do.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.looked) >= certificateInterval {
		if err := c.load(); err != nil {
			c.log.Error("the former certificate stays in use", slog.String("error", err.Error()))
		}
	}
	return c.loaded, nil
}

// config returns the TLS settings of the server.
func (c *certificate) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get, NextProtos: []string{"http/1.1"}}
}
