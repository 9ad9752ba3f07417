// Package temporal connects to Temporal by the settings in the environment, and classifies its
// errors.
package temporal

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/grpc"
)

// Options holds what a program adds to the settings in the environment.
type Options struct {
	// Logger logs for the SDK; nil discards its lines.
	Logger *slog.Logger
	// Metrics receives the SDK's metrics; nil discards them.
	Metrics client.MetricsHandler
	// Calls intercepts every call to the server, and each of the SDK's retries; nil intercepts
	// none.
	Calls grpc.UnaryClientInterceptor
	// Propagators carry values from workflows to their activities.
	Propagators []workflow.ContextPropagator
}

// Connection is a client with its address and namespace. A worker needs the Client itself, not the
// Connection.
type Connection struct {
	client.Client
	// Address is the address of the server, host:port.
	Address string
	// Namespace is the namespace of all calls.
	Namespace string
}

// Dial connects to Temporal with the settings of the environment and of the Temporal CLI's
// configuration file (TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_API_KEY, TEMPORAL_TLS…,
// TEMPORAL_PROFILE). It returns when the server has answered, or a *fault.Error after about five
// seconds.
func Dial(ctx context.Context, options Options) (*Connection, error) {
	settings, err := envconfig.LoadDefaultClientOptions()
	if err != nil {
		return nil, fmt.Errorf("settings of Temporal (TEMPORAL_… in the environment, or the Temporal CLI's configuration file): %w", err)
	}
	settings.Logger = sdklog.NewStructuredLogger(cmp.Or(options.Logger, slog.New(slog.DiscardHandler)))
	settings.MetricsHandler = options.Metrics
	settings.ContextPropagators = options.Propagators
	if options.Calls != nil {
		settings.ConnectionOptions.DialOptions = append(settings.ConnectionOptions.DialOptions, grpc.WithChainUnaryInterceptor(options.Calls))
	}
	connection := &Connection{
		Address:   cmp.Or(settings.HostPort, client.DefaultHostPort),
		Namespace: cmp.Or(settings.Namespace, client.DefaultNamespace),
	}
	if connection.Client, err = client.DialContext(ctx, settings); err != nil {
		return nil, connection.Classify(err)
	}
	return connection, nil
}
