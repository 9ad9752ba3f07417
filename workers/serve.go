package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// headerTimeout limits how long a client may take to send the header of its request.
const headerTimeout = 5 * time.Second

// endpoints serves /healthz and /metrics.
type endpoints struct {
	server *http.Server
	ended  chan error // receives the error of a server that failed
}

// listen serves the endpoints. They need no key, so the address must be loopback or reachable by
// the platform only.
func listen(address string, health, metrics http.Handler, log *slog.Logger) (*endpoints, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, &settingsError{fmt.Errorf("cannot listen on %s for /healthz and /metrics: stop the process that does, or set PINFLOW_WORKER_ADDRESS (%w)", address, err)}
	}
	mux := http.NewServeMux()
	mux.Handle("GET /healthz", health)
	mux.Handle("GET /metrics", metrics)
	e := &endpoints{
		server: &http.Server{Handler: mux, ReadHeaderTimeout: headerTimeout, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn)},
		ended:  make(chan error, 1),
	}
	go func() {
		if err := e.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			e.ended <- fmt.Errorf("/healthz and /metrics on %s: %w", address, err)
		}
	}()
	return e, nil
}

// close shuts the server down after it has answered open requests.
func (e *endpoints) close(ctx context.Context) {
	ctx, done := context.WithTimeout(ctx, headerTimeout)
	defer done()
	if e.server.Shutdown(ctx) != nil {
		_ = e.server.Close()
	}
}
