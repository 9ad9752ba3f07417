// Command gateway takes records over HTTP and writes them to Kafka, in the manner of Confluent's REST Proxy, API version 2.
//
//	POST /topics/{topic}   produce records (Content-Type application/vnd.kafka.json.v2+json); answers with their offsets
//	GET  /topics           the names of the topics
//	GET  /healthz          200 if Kafka answers, else 503
//	GET  /metrics          metrics in Prometheus's text format
//
// Its settings are those of internal/config. It drains on SIGINT and SIGTERM: it stops accepting, ends what is under way, and exits.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"

	"github.com/pinflow/pinflow/internal/clients/kafka"
	"github.com/pinflow/pinflow/internal/config"
	"github.com/pinflow/pinflow/internal/observe"
)

// Exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// errUsage marks errors in settings and arguments.
var errUsage = errors.New("the gateway cannot start")

func main() { os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr)) }

// run is the program: arguments in, exit code out.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("gateway", flag.ContinueOnError)
	flags.SetOutput(stderr)
	version := flags.Bool("version", false, "print the version and exit")
	flags.Usage = func() {
		fmt.Fprintln(stderr, "usage: gateway [-version]\nAll settings are environment variables, or in .env: see .env.example.")
		flags.PrintDefaults()
	}
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return exitDone
	case err != nil || flags.NArg() > 0:
		flags.Usage()
		return exitUsage
	case *version:
		fmt.Fprintln(stdout, "gateway", config.Version)
		return exitDone
	}
	ctx, stop := observe.ExitWithParent(ctx)
	defer stop()
	switch err := start(ctx, stderr); {
	case errors.Is(err, errUsage):
		fmt.Fprintln(stderr, err)
		return exitUsage
	case err != nil:
		fmt.Fprintln(stderr, err)
		return exitFailed
	}
	return exitDone
}

// start reads the settings, puts the parts together, and serves until ctx ends.
func start(ctx context.Context, logs io.Writer) error {
	settings, err := config.Load()
	if err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	log, err := observe.NewLogger(logs, settings.LogLevel)
	if err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	metrics, err := newMetrics()
	if err != nil {
		return err
	}
	producer, err := kafka.NewProducer(kafka.ProducerConfig{
		Connection: kafka.Connection{Brokers: settings.Brokers, ClientID: "pinflow-gateway"},
		OnBatch:    metrics.batch,
	})
	if err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	server, err := NewServer(Options{
		Broker: producer, Prefix: settings.Topic(""), APIKeys: settings.APIKeys, Limits: DefaultLimits, Log: log, metrics: metrics,
	})
	if err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	listener, err := net.Listen("tcp", settings.GatewayAddress)
	if err != nil {
		return fmt.Errorf("the gateway cannot listen on PINFLOW_GATEWAY_ADDRESS=%s: %w", settings.GatewayAddress, err)
	}
	log.Info("the gateway listens", slog.String("address", listener.Addr().String()), slog.String("topics", settings.Topic("*")),
		slog.Any("brokers", settings.Brokers), slog.String("version", config.Version))
	return server.Serve(ctx, listener)
}
