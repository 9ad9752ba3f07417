package main

import (
	"context"
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

// Times of the HTTP server. A client that is slower than this holds memory that others wait for.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 30 * time.Second
	// writeTimeout is longer than reading a request and its delivery to Kafka take together, so that no answer is cut off.
	writeTimeout = 75 * time.Second
	idleTimeout  = 2 * time.Minute
	// maxHeaderBytes is ample for an API key and a content type.
	maxHeaderBytes = 16 << 10
	// drainTimeout is how long requests under way may take after the signal to end: a delivery that has just begun, and its answer.
	drainTimeout  = 40 * time.Second
	healthTimeout = 2 * time.Second
)

// Broker is what the gateway needs of Kafka; *kafka.Producer is one.
type Broker interface {
	// Produce writes all messages and says what became of each. After an error nothing has been sent.
	Produce(ctx context.Context, topic string, messages []kafka.Message) ([]kafka.Ack, error)
	Topics(ctx context.Context) ([]kafka.TopicInfo, error)
	Ping(ctx context.Context) error
	// Close waits for what is under way.
	Close(ctx context.Context) error
}

// Limits bound what the gateway takes.
type Limits struct {
	// BodyBytes is the size of a request's body: 10 MB, as in Amazon API Gateway
	// (https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html).
	BodyBytes int64
	// RecordBytes is the size of a record's key and value together.
	RecordBytes int
	// Records is how many records a request may have.
	Records int
	// InFlightBytes and InFlightRequests are what all requests under way may hold together; more are told to come back later (429).
	InFlightBytes    int64
	InFlightRequests int64
}

// DefaultLimits suit a gateway with 256 MB of memory.
var DefaultLimits = Limits{
	BodyBytes:        10 << 20,
	RecordBytes:      kafka.MaxMessageBytes,
	Records:          10_000,
	InFlightBytes:    64 << 20,
	InFlightRequests: 2_000,
}

// Options are what a Server is made of.
type Options struct {
	Broker Broker
	// Prefix is what the name of a topic starts with, as in pinflow. ; other topics do not exist for the gateway's clients.
	Prefix string
	// APIKeys are the keys that are accepted in the header x-api-key. There must be one.
	APIKeys []string
	Limits  Limits
	Log     *slog.Logger
	metrics *metrics
}

// Server is the gateway: HTTP in, Kafka out.
type Server struct {
	broker    Broker
	prefix    string
	keys      apiKeys
	limits    Limits
	admission *admission
	log       *slog.Logger
	metrics   *metrics
	draining  atomic.Bool
}

// NewServer makes a gateway. Without API keys it refuses: it would take records from anybody.
func NewServer(o Options) (*Server, error) {
	keys, err := newAPIKeys(o.APIKeys)
	if err != nil {
		return nil, err
	}
	if o.metrics == nil {
		if o.metrics, err = newMetrics(); err != nil {
			return nil, err
		}
	}
	return &Server{
		broker: o.Broker, prefix: o.Prefix, keys: keys, limits: o.Limits, log: o.Log, metrics: o.metrics,
		admission: newAdmission(o.Limits.InFlightRequests, o.Limits.InFlightBytes, o.metrics),
	}, nil
}

// Handler serves all routes.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /topics/{topic}", s.keys.protect(s.produce))
	mux.Handle("GET /topics", s.keys.protect(s.topics))
	mux.HandleFunc("GET /healthz", s.health)
	mux.Handle("GET /metrics", s.metrics.handler())
	for path, methods := range map[string]string{"/topics/{topic}": "POST", "/topics": "GET, HEAD", "/healthz": "GET, HEAD", "/metrics": "GET, HEAD"} {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Allow", methods)
			fail(w, problem{status: http.StatusMethodNotAllowed, message: "HTTP 405 Method Not Allowed"})
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		fail(w, problem{status: http.StatusNotFound, message: "HTTP 404 Not Found"})
	})
	return s.watched(mux)
}

// Serve serves on the listener until ctx ends, and then drains: no new connections, requests under way are answered, Kafka has their records.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve HTTP: %w", err)
	case <-ctx.Done():
	}
	s.draining.Store(true)
	s.log.Info("the gateway drains", slog.String("because", context.Cause(ctx).Error()))
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	if err := errors.Join(server.Shutdown(limit), s.broker.Close(limit)); err != nil {
		return fmt.Errorf("the gateway ended with requests under way: %w", err)
	}
	s.log.Info("the gateway has ended")
	return nil
}

// topics answers with the names of the topics that clients may write to.
func (s *Server) topics(w http.ResponseWriter, r *http.Request) {
	infos, err := s.broker.Topics(r.Context())
	if err != nil {
		fail(w, problemOf(err))
		return
	}
	names := []string{}
	for _, info := range infos {
		if strings.HasPrefix(info.Name, s.prefix) {
			names = append(names, info.Name)
		}
	}
	answer(w, http.StatusOK, names)
}

// health says whether the gateway can do its work: Kafka answers, and it is not ending.
func (s *Server) health(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), healthTimeout)
	defer cancel()
	status, code := "ok", http.StatusOK
	if err := s.broker.Ping(ctx); err != nil {
		status, code = err.Error(), http.StatusServiceUnavailable
	} else if s.draining.Load() {
		status, code = "draining", http.StatusServiceUnavailable
	}
	answer(w, code, map[string]string{"status": status})
}
