// Command local is Pinflow's embedded stack: Temporal, its Web UI, Kafka, S3, Kinesis and a
// Databricks-compatible workspace in one program.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/pinflow/pinflow/internal/healthcheck"
	"github.com/pinflow/pinflow/local/s3"
	"github.com/pinflow/pinflow/local/stack"
	"github.com/pinflow/pinflow/local/temporal"
	"github.com/pinflow/pinflow/local/workspace"
)

const (
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	syscall.Umask(0o077) // what the parts write is for the user alone
	ctx, stop := untilSignalled()
	defer stop()
	root := &cobra.Command{
		Use: "local", Short: "Pinflow's embedded stack, on loopback and without Docker",
		SilenceUsage: true, SilenceErrors: true,
	}
	root.AddCommand(stackCommand(), temporal.NewServerCommand(serveTemporal), workspaceCommand(), s3Command())
	if err := root.ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "local:", err)
		os.Exit(exitCode(err))
	}
}

// exitCode returns 2 for mistakes in the call: a flag, a port, the data directory.
func exitCode(err error) int {
	var busy *stack.BusyError
	var inUse *stack.InUseError
	var usage *usageError
	if errors.As(err, &busy) || errors.As(err, &inUse) || errors.As(err, &usage) {
		return exitUsage
	}
	return exitFailed
}

type usageError struct{ error }

// untilSignalled returns a context that ends on SIGINT and SIGTERM, and with standard input if the
// parent process asks for that. A second signal ends the process immediately.
func untilSignalled() (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	serving := len(os.Args) > 1 && os.Args[1] == s3.Subcommand // it reads its standard input itself
	if os.Getenv("PINFLOW_EXIT_WITH_STDIN") == "1" && !serving {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			stop()
		}()
	}
	return ctx, stop
}

func stackCommand() *cobra.Command {
	o := stack.Options{Progress: os.Stdout, Announce: true}
	var engine string
	cmd := &cobra.Command{
		Use: "stack", Short: "Run the whole stack; its settings are in <data>/stack.env while it runs", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.Ports.Resolve(os.Getenv); err != nil {
				return &usageError{err}
			}
			home, err := sparkHome(engine)
			if err != nil {
				return &usageError{err}
			}
			o.SparkHome = home
			return stack.Run(cmd.Context(), o)
		},
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err} })
	cmd.Flags().StringVar(&o.Data, "data", ".local", "directory of the state")
	engineFlag(cmd, &engine)
	o.Ports.Flags(cmd.Flags())
	return cmd
}

// serveTemporal runs Temporal's server alone until the context ends.
func serveTemporal(cmd *cobra.Command, o temporal.Options, ui *temporal.UIOptions) error {
	server, err := temporal.Start(o)
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "Temporal server: %s:%d\n", o.IP, o.Port)
	if ui != nil {
		web, err := temporal.StartUI(*ui)
		if err != nil {
			return errors.Join(err, server.Stop())
		}
		defer web.Stop()
		fmt.Fprintf(cmd.OutOrStdout(), "Web UI: http://%s:%s\n", ui.IP, strconv.Itoa(ui.Port))
	}
	<-cmd.Context().Done()
	return server.Stop()
}

// workspaceCommand runs the workspace alone, as a container does. It takes the settings of
// .env.example from the environment.
func workspaceCommand() *cobra.Command {
	o := workspace.Options{
		Token: os.Getenv("DATABRICKS_TOKEN"), WarehouseID: os.Getenv("PINFLOW_WAREHOUSE_ID"), PublicURL: os.Getenv("DATABRICKS_HOST"),
		S3: workspace.S3Options{
			Endpoint: os.Getenv("AWS_ENDPOINT_URL_S3"), Region: os.Getenv("AWS_REGION"),
			AccessKey: os.Getenv("AWS_ACCESS_KEY_ID"), SecretKey: os.Getenv("AWS_SECRET_ACCESS_KEY"),
		},
		Logger: slog.New(slog.NewJSONHandler(os.Stderr, nil)),
	}
	var engine string
	var health bool
	cmd := &cobra.Command{
		Use: "workspace", Short: "Run the Databricks-compatible workspace alone, with settings from the environment", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if health {
				return healthcheck.Check(cmd.Context(), o.Address, false)
			}
			var err error
			if o.SparkHome, err = sparkHome(engine); err != nil {
				return &usageError{err}
			}
			server, err := workspace.New(cmd.Context(), o)
			if err != nil {
				return err
			}
			return server.Serve(cmd.Context())
		},
	}
	cmd.Flags().StringVar(&o.Address, "address", "127.0.0.1:8090", "address to listen on")
	cmd.Flags().BoolVar(&health, "health", false, "ask the workspace that runs at the address for its health, and exit with 1 unless it is healthy")
	cmd.Flags().StringVar(&o.DataDir, "data", ".local/workspace", "directory of its state")
	engineFlag(cmd, &engine)
	return cmd
}

func engineFlag(cmd *cobra.Command, engine *string) {
	cmd.Flags().StringVar(engine, "engine", "duckdb", "what runs the notebooks: duckdb, or spark, installed by scripts/install-spark in PINFLOW_SPARK")
}

// sparkHome returns the installation of Spark that an engine needs; DuckDB needs none.
func sparkHome(engine string) (string, error) {
	switch home := os.Getenv("PINFLOW_SPARK"); {
	case engine == "duckdb":
		return "", nil
	case engine != "spark":
		return "", fmt.Errorf("--engine %q: want duckdb or spark", engine)
	case home == "":
		return "", errors.New("--engine spark needs an installation of Spark: `export PINFLOW_SPARK=$(scripts/install-spark)`")
	default:
		return home, nil
	}
}

func s3Command() *cobra.Command {
	return &cobra.Command{
		Use: s3.Subcommand, Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return s3.Serve(cmd.Context(), os.Stdin) },
	}
}
