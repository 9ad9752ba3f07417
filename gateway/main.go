// Command gateway takes records over HTTP and writes them to Kafka, like Confluent's REST Proxy,
// API version 2.
//
//	POST /topics/{topic}   produce application/vnd.kafka.json.v2+json; returns offsets
//	GET  /topics           the names of the topics
//	POST /pin/             write one post, application/json; returns the post
//	GET  /healthz          200 if Kafka takes records, else 503
//	GET  /openapi.json     the OpenAPI document of all routes
//	GET  /metrics          metrics in Prometheus's text format
//
// Its settings are those of package config. On SIGINT and SIGTERM it stops accepting requests,
// answers the open ones, and exits.
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
	"runtime/debug"

	"github.com/pinflow/pinflow/internal/clients/kafka"
	"github.com/pinflow/pinflow/internal/config"
	"github.com/pinflow/pinflow/internal/healthcheck"
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

const (
	// memoryLimit is where Go's garbage collector begins to work harder, if GOMEMLIMIT does not say so:
	// below the 256 MB that DefaultLimits suit.
	memoryLimit = 230 << 20
	// garbagePercent is how much garbage, in percent of what is in use, is left until then, if GOGC does
	// not say so. What is in use is small: Go's default of 100 collects ten times a second.
	garbagePercent = 400
)

func main() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbagePercent)
	}
	os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
}

// run runs the gateway and returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("gateway", flag.ContinueOnError)
	flags.SetOutput(stderr)
	version := flags.Bool("version", false, "print the version and exit")
	name := flags.String("new-key", "", "print a new API key with its line for PINFLOW_API_KEYS_FILE, by that `name`, and exit")
	health := flags.Bool("health", false, "ask the gateway of these settings for its health, and exit with 1 unless it is healthy")
	flags.Usage = func() {
		fmt.Fprintln(stderr, "usage: gateway [-version] [-health] [-new-key name]\nAll settings are environment variables, or in .env: see .env.example.")
		flags.PrintDefaults()
	}
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return exitDone
	case err != nil || flags.NArg() > 0:
		flags.Usage()
		return exitUsage
	case *version:
		fmt.Fprintln(stdout, "gateway", config.BuildID())
		return exitDone
	case *name != "":
		text, err := newKey(*name)
		if err != nil {
			fmt.Fprintln(stderr, err)
			return exitUsage
		}
		fmt.Fprint(stdout, text)
		return exitDone
	}
	ctx, stop := observe.ExitWithParent(ctx)
	defer stop()
	do := func() error { return start(ctx, stderr) }
	if *health {
		do = func() error { return checkHealth(ctx) }
	}
	switch err := do(); {
	case errors.Is(err, errUsage):
		fmt.Fprintln(stderr, err)
		return exitUsage
	case err != nil:
		fmt.Fprintln(stderr, err)
		return exitFailed
	}
	return exitDone
}

// checkHealth asks the gateway that runs with these settings, as the health check of its container.
func checkHealth(ctx context.Context) error {
	settings, err := config.Load()
	if err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	return healthcheck.Check(ctx, settings.GatewayAddress, settings.GatewayTLSCertFile != "")
}

// start reads the settings and serves until ctx ends.
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
	connection, err := kafka.NewConnection(ctx, settings, "pinflow-gateway")
	if err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	producer, err := kafka.NewProducer(kafka.ProducerConfig{Connection: connection, OnBatch: metrics.batch})
	if err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	options := Options{
		Broker: producer, Prefix: settings.Topic(""), Posts: settings.PostsTopic, APIKeys: settings.APIKeys, APIKeysFile: settings.APIKeysFile,
		Limits: DefaultLimits, DrainDelay: settings.GatewayDrainDelay, Log: log, metrics: metrics,
	}
	if settings.GatewayTLSCertFile != "" || settings.GatewayTLSKeyFile != "" {
		own, err := newCertificate(settings.GatewayTLSCertFile, settings.GatewayTLSKeyFile, log)
		if err != nil {
			return fmt.Errorf("%w: %w", errUsage, err)
		}
		options.TLS = own.config()
	}
	server, err := NewServer(options)
	if err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	listener, err := net.Listen("tcp", settings.GatewayAddress)
	if err != nil {
		return fmt.Errorf("the gateway cannot listen on PINFLOW_GATEWAY_ADDRESS=%s: %w", settings.GatewayAddress, err)
	}
	log.Info("gateway listening", slog.String("address", listener.Addr().String()), slog.String("topics", settings.Topic("*")),
		slog.Any("brokers", settings.Brokers), slog.String("build", config.BuildID()))
	return server.Serve(ctx, listener)
}
