package main

import (
	"context"
	"crypto/tls"
	_ "embed" // the OpenAPI document
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/pinflow/pinflow/internal/clients/kafka"
)

// Timeouts of the HTTP server: a slow client occupies memory that other requests need.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 30 * time.Second
	// writeTimeout is longer than reading a request and delivering its records, so that no response
	// is cut off.
	writeTimeout = 75 * time.Second
	idleTimeout  = 2 * time.Minute
	// maxHeaderBytes is more than an API key and a content type need. Go's server reads 4 kB more.
	maxHeaderBytes = 4 << 10
	// drainTimeout is how long open requests may take after the signal: the time of a delivery and
	// its response.
	drainTimeout  = 40 * time.Second
	healthTimeout = 2 * time.Second
)

// Broker is the part of Kafka that the gateway uses; *kafka.Producer satisfies it.
type Broker interface {
	// Produce writes the messages and returns an Ack for each. After an error nothing has been
	// sent.
	Produce(ctx context.Context, topic string, messages []kafka.Message) ([]kafka.Ack, error)
	Topics(ctx context.Context) ([]kafka.TopicInfo, error)
	// Ready returns nil if records can be written to all partitions of the topics that are served.
	Ready(ctx context.Context, serves func(topic string) bool) error
	// Close waits for messages that are being written.
	Close(ctx context.Context) error
}

// Limits holds the limits of the gateway.
type Limits struct {
	// BodyBytes limits the body of a request: 10 MB, as in Amazon API Gateway
	// (https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html).
	BodyBytes int64
	// RecordBytes limits the key and the value of a record together.
	RecordBytes int
	// Records limits the number of records in a request.
	Records int
	// InFlightBytes and InFlightRequests limit all open requests together; further ones get status
	// 429.
	InFlightBytes    int64
	InFlightRequests int64
	// Connections limits the open connections, also those without a request.
	Connections int
}

// DefaultLimits suit a gateway with 256 MB of memory.
var DefaultLimits = Limits{
	BodyBytes:        10 << 20,
	RecordBytes:      kafka.MaxMessageBytes,
	Records:          10_000,
	InFlightBytes:    64 << 20,
	InFlightRequests: 2_000,
	Connections:      4_000,
}

// Options configures a Server.
type Options struct {
	Broker Broker
	// Prefix is the prefix of the topics, for example "pinflow.", and Posts the topic of posts. Clients
	// cannot see other topics.
	Prefix, Posts string
	// APIKeys holds valid keys, as key or name=key, and APIKeysFile is the file of others. At least
	// one of them is set.
	APIKeys     []string
	APIKeysFile string
	Limits      Limits
	// TLS is nil for a server without TLS.
	TLS *tls.Config
	// DrainDelay is how long the gateway takes requests after the signal to stop, while its health
	// check fails: load balancers send no others then.
	DrainDelay time.Duration
	Log        *slog.Logger
	metrics    *metrics
}

// Server is the gateway.
type Server struct {
	broker    Broker
	prefix    string
	posts     string
	keys      *keyRing
	options   Options
	limits    Limits
	admission *admission
	log       *slog.Logger
	metrics   *metrics
	draining  atomic.Bool
	rejected  brief
	unhealthy brief
}

// NewServer returns a gateway. It returns an error without API keys, because it would take records
// from any client.
func NewServer(o Options) (*Server, error) {
	keys, err := newKeyRing(o.APIKeys, o.APIKeysFile, o.Limits, o.Log)
	if err != nil {
		return nil, err
	}
	if o.metrics == nil {
		if o.metrics, err = newMetrics(); err != nil {
			return nil, err
		}
	}
	return &Server{
		broker: o.Broker, prefix: o.Prefix, posts: o.Posts, keys: keys, options: o, limits: o.Limits, log: o.Log, metrics: o.metrics,
		admission: newAdmission(o.Limits.InFlightRequests, o.Limits.InFlightBytes, o.metrics),
	}, nil
}

// openAPI describes all routes; a test compares it with what they do.
//
//go:embed openapi.json
var openAPI []byte

// route is a method of a path, which is a pattern of http.ServeMux.
type route struct {
	method, path string
	handler      http.Handler
}

// routes returns all routes.
func (s *Server) routes() []route {
	return []route{
		{http.MethodPost, "/topics/{topic}", s.keys.protect(s.produce)},
		{http.MethodGet, "/topics", s.keys.protect(s.topics)},
		{http.MethodPost, "/pin/{$}", s.keys.protect(s.pin)},
		{http.MethodGet, "/healthz", http.HandlerFunc(s.health)},
		{http.MethodGet, "/metrics", s.metrics.handler()},
		{http.MethodGet, "/openapi.json", http.HandlerFunc(describe)},
	}
}

// describe responds with the OpenAPI document.
func describe(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", plainJSON)
	_, _ = w.Write(openAPI) // the client may have disconnected
}

// Handler serves all routes.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	for _, one := range s.routes() {
		mux.Handle(one.method+" "+one.path, one.handler)
		allowed := one.method
		if one.method == http.MethodGet {
			allowed = "GET, HEAD" // http.ServeMux takes HEAD as well
		}
		mux.HandleFunc(one.path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Allow", allowed)
			fail(w, problem{status: http.StatusMethodNotAllowed, message: "HTTP 405 Method Not Allowed"})
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		fail(w, problem{status: http.StatusNotFound, message: "HTTP 404 Not Found"})
	})
	return s.watched(drain(mux))
}

// Serve serves on the listener until ctx ends. Then it fails its health check, closes the listener,
// and answers the open requests, whose records Kafka then has.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	open := newConnections(s.limits.Connections)
	server := &http.Server{
		Handler:           open.handled(s.Handler()),
		ConnContext:       open.context,
		ConnState:         open.changed,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		TLSConfig:         s.options.TLS,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
	go s.keys.watch(ctx)
	served := make(chan error, 1)
	go func() {
		if s.options.TLS != nil {
			served <- server.ServeTLS(listener, "", "")
			return
		}
		served <- server.Serve(listener)
	}()
	select {
	case err := <-served:
		return fmt.Errorf("serve HTTP: %w", err)
	case <-ctx.Done():
	}
	s.draining.Store(true)
	s.log.Info("gateway draining", slog.String("reason", context.Cause(ctx).Error()))
	time.Sleep(s.options.DrainDelay)
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	if err := errors.Join(server.Shutdown(limit), s.broker.Close(limit)); err != nil {
		return fmt.Errorf("the gateway stopped before all requests were answered: %w", err)
	}
	s.log.Info("gateway stopped")
	return nil
}

// serves reports whether clients may write to a topic.
func (s *Server) serves(topic string) bool {
	return topic == s.posts || strings.HasPrefix(topic, s.prefix) && topic != s.prefix
}

// topics responds with the names of the topics that clients may write to.
func (s *Server) topics(w http.ResponseWriter, r *http.Request) {
	infos, err := s.broker.Topics(r.Context())
	if err != nil {
		fail(w, problemOf(err))
		return
	}
	names := []string{}
	for _, info := range infos {
		if s.serves(info.Name) {
			names = append(names, info.Name)
		}
	}
	answer(w, http.StatusOK, names)
}

// health responds with 200 if Kafka takes records and the gateway is not shutting down.
func (s *Server) health(w http.ResponseWriter, r *http.Request) {
	// The answer serves others, too: a client that disconnects must not spoil it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), healthTimeout)
	defer cancel()
	status, code := "ok", http.StatusOK
	if err := s.broker.Ready(ctx, s.serves); err != nil { // anyone may ask: the log has the addresses
		status, code = "Kafka cannot take records", http.StatusServiceUnavailable
		s.unhealthy.log(func(times int64) {
			s.log.Warn("health check fails", slog.String("error", err.Error()), slog.Int64("times", times))
		})
	} else if s.draining.Load() {
		status, code = "draining", http.StatusServiceUnavailable
	}
	answer(w, code, map[string]string{"status": status})
}
