package observe

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/attribute"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.temporal.io/sdk/client"
	temporalotel "go.temporal.io/sdk/contrib/opentelemetry"
)

// temporalScope is the name under which the Temporal SDK records its metrics.
const temporalScope = "temporal-sdk-go"

// temporalBuckets are the buckets of the Temporal SDK's histograms. The SDK records seconds, but names
// no buckets: those of OpenTelemetry are meant for milliseconds, so that all latencies would fall into
// the first.
var temporalBuckets = sdkmetric.NewView(
	sdkmetric.Instrument{Kind: sdkmetric.InstrumentKindHistogram, Scope: instrumentation.Scope{Name: temporalScope}},
	sdkmetric.Stream{Aggregation: sdkmetric.AggregationExplicitBucketHistogram{Boundaries: []float64{
		.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600, 14400, 86400,
	}}},
)

// Metrics collects a program's metrics: its own, the Temporal SDK's, and those of the Go runtime
// and the process.
type Metrics struct {
	registry *prometheus.Registry
	provider *sdkmetric.MeterProvider
}

// NewMetrics returns metrics with a registry of their own.
func NewMetrics() (*Metrics, error) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(registry), otelprometheus.WithoutScopeInfo())
	if err != nil {
		return nil, fmt.Errorf("prometheus exporter: %w", err)
	}
	return &Metrics{registry: registry, provider: sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter), sdkmetric.WithView(temporalBuckets))}, nil
}

// Meter returns the meter for the program's own instruments.
func (m *Metrics) Meter() metric.Meter { return m.provider.Meter("pinflow") }

// Temporal returns the handler that adds the metrics of the Temporal SDK (temporal_…).
func (m *Metrics) Temporal(log *slog.Logger) client.MetricsHandler {
	return temporalotel.NewMetricsHandler(temporalotel.MetricsHandlerOptions{
		Meter:                m.provider.Meter(temporalScope),
		UseMonotonicCounters: true,
		OnError:              func(err error) { log.Warn("a metric of the Temporal SDK was lost", "error", err) },
	})
}

// Handler serves the metrics in Prometheus's text format.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// Close stops collecting.
func (m *Metrics) Close(ctx context.Context) error { return m.provider.Shutdown(ctx) }

// label returns a label of a metric. Prometheus takes UTF-8 only, and a value that is not would cost
// all metrics of the scrape.
func label(name, value string) attribute.KeyValue {
	return attribute.String(name, strings.ToValidUTF8(value, "\ufffd"))
}
