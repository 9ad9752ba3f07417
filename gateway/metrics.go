package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/pinflow/pinflow/internal/clients/kafka"
	"github.com/pinflow/pinflow/internal/observe"
)

// latencies are the upper bounds of the histograms of durations, in seconds.
var latencies = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}

// metrics holds the gateway's metrics.
type metrics struct {
	all           *observe.Metrics
	requests      metric.Int64Counter
	seconds       metric.Float64Histogram
	records       metric.Int64Counter
	recordBytes   metric.Int64Counter
	inFlight      metric.Int64UpDownCounter
	inFlightBytes metric.Int64UpDownCounter
	batches       metric.Float64Histogram
	batchRecords  metric.Int64Histogram
	// labels holds the options of measurements by their labels: to make one costs more than to count.
	labels sync.Map
}

// labelled returns the option of a measurement with these labels, as name and value in turn.
func (m *metrics) labelled(labels [6]string) metric.MeasurementOption {
	if known, ok := m.labels.Load(labels); ok {
		return known.(metric.MeasurementOption)
	}
	var all []attribute.KeyValue
	for i := 0; i < len(labels) && labels[i] != ""; i += 2 {
		all = append(all, attribute.String(labels[i], labels[i+1]))
	}
	option := metric.WithAttributeSet(attribute.NewSet(all...))
	m.labels.Store(labels, option)
	return option
}

func newMetrics() (*metrics, error) {
	all, err := observe.NewMetrics()
	if err != nil {
		return nil, err
	}
	m, meter, errs := &metrics{all: all}, all.Meter(), make([]error, 8)
	m.requests, errs[0] = meter.Int64Counter("pinflow_gateway_requests", metric.WithDescription("HTTP requests by route, status and name of the API key."))
	m.seconds, errs[1] = meter.Float64Histogram("pinflow_gateway_request_duration", metric.WithUnit("s"),
		metric.WithDescription("Time from a request's header to the end of its answer, by route."), metric.WithExplicitBucketBoundaries(latencies...))
	m.records, errs[2] = meter.Int64Counter("pinflow_gateway_records", metric.WithDescription("Records by topic and outcome: acknowledged or failed."))
	m.recordBytes, errs[3] = meter.Int64Counter("pinflow_gateway_record_size", metric.WithUnit("By"),
		metric.WithDescription("Bytes of the keys and values that Kafka has acknowledged, by topic."))
	m.inFlight, errs[4] = meter.Int64UpDownCounter("pinflow_gateway_in_flight_requests", metric.WithDescription("Produce requests under way."))
	m.inFlightBytes, errs[5] = meter.Int64UpDownCounter("pinflow_gateway_in_flight_size", metric.WithUnit("By"),
		metric.WithDescription("Bytes that produce requests under way hold."))
	m.batches, errs[6] = meter.Float64Histogram("pinflow_gateway_kafka_request_duration", metric.WithUnit("s"),
		metric.WithDescription("Time of produce requests to Kafka, by outcome."), metric.WithExplicitBucketBoundaries(latencies...))
	m.batchRecords, errs[7] = meter.Int64Histogram("pinflow_gateway_kafka_request_records",
		metric.WithDescription("Records of a produce request to Kafka."), metric.WithExplicitBucketBoundaries(1, 10, 100, 1000, 10000))
	return m, errors.Join(errs...)
}

func (m *metrics) handler() http.Handler { return m.all.Handler() }

// hold counts open produce requests and their bytes.
func (m *metrics) hold(requests, bytes int64) {
	m.inFlight.Add(context.Background(), requests)
	m.inFlightBytes.Add(context.Background(), bytes)
}

// batch counts one request to Kafka.
func (m *metrics) batch(b kafka.Batch) {
	outcome := "acknowledged"
	if b.Err != nil {
		outcome = "failed"
	}
	m.batches.Record(context.Background(), b.Took.Seconds(), m.labelled([6]string{"outcome", outcome}))
	m.batchRecords.Record(context.Background(), int64(b.Records))
}

// produced counts the records of a request by their outcome. Only existing topics are counted,
// which limits the number of labels.
func (m *metrics) produced(topic string, messages []kafka.Message, acks []kafka.Ack) {
	var bytes, failed int64
	for i, ack := range acks {
		if ack.Err != nil {
			failed++
			continue
		}
		bytes += int64(len(messages[i].Key) + len(messages[i].Value))
	}
	m.recordBytes.Add(context.Background(), bytes, m.labelled([6]string{"topic", topic}))
	m.records.Add(context.Background(), int64(len(acks))-failed, m.labelled([6]string{"topic", topic, "outcome", "acknowledged"}))
	if failed > 0 {
		m.records.Add(context.Background(), failed, m.labelled([6]string{"topic", topic, "outcome", "failed"}))
	}
}

// statusWriter records the status of a response, and the name of the key of its request.
type statusWriter struct {
	http.ResponseWriter
	status int
	key    string
}

// servedTo notes the name of the key of a request.
func (w *statusWriter) servedTo(name string) { w.key = name }

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap gives http.ResponseController access to the connection.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// watched counts and logs requests. It logs successes at level debug only, because there can be
// thousands a second.
func (s *Server) watched(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		watched := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(watched, r)
		took := time.Since(began)
		s.metrics.requests.Add(r.Context(), 1, s.metrics.labelled([6]string{"route", r.Pattern, "code", strconv.Itoa(watched.status), "key", watched.key}))
		s.metrics.seconds.Record(r.Context(), took.Seconds(), s.metrics.labelled([6]string{"route", r.Pattern}))
		level, times := slog.LevelDebug, int64(1)
		switch {
		case watched.status == http.StatusUnauthorized || watched.status == http.StatusForbidden:
			// Anyone can cause them: a log of each would fill a disk.
			times = s.rejected.count()
			if times == 0 {
				return
			}
			level = slog.LevelInfo
		case watched.status >= http.StatusInternalServerError:
			level = slog.LevelError
		case watched.status >= http.StatusBadRequest:
			level = slog.LevelInfo
		}
		s.log.LogAttrs(r.Context(), level, "request", slog.String("method", r.Method), slog.String("path", r.URL.Path),
			slog.Int("status", watched.status), slog.Duration("took", took), slog.String("from", r.RemoteAddr),
			slog.String("key", watched.key), slog.Int64("times", times))
	})
}
