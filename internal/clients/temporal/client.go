// Package temporal connects to Temporal as the environment says, and puts its errors into words that say what to do next.
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

// Options are what a program adds to the settings in the environment.
type Options struct {
	// Logger takes the SDK's own lines; nil drops them.
	Logger *slog.Logger
	// Metrics takes the SDK's metrics; nil drops them.
	Metrics client.MetricsHandler
	// Calls sees every call to the server, retries of the SDK apart; nil sees none.
	Calls grpc.UnaryClientInterceptor
	// Propagators carry values from workflows to their activities.
	Propagators []workflow.ContextPropagator
}

// Connection is a client with the names that it was connected under. A worker needs the Client itself, not the Connection.
type Connection struct {
	client.Client
	// Address is the server's, host:port.
	Address string
	// Namespace is that of all calls.
	Namespace string
}

// Dial connects to Temporal with the settings of the environment and of the Temporal CLI's configuration file (TEMPORAL_ADDRESS,
// TEMPORAL_NAMESPACE, TEMPORAL_API_KEY, TEMPORAL_TLS…, TEMPORAL_PROFILE). It returns once the server has answered; within about
// five seconds, or a *fault.Error.
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
