package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"golang.org/x/sync/errgroup"

	"github.com/pinflow/pinflow/internal/config"
	"github.com/pinflow/pinflow/internal/search"
	"github.com/pinflow/pinflow/local/kafka"
	"github.com/pinflow/pinflow/local/kinesis"
	"github.com/pinflow/pinflow/local/s3"
	"github.com/pinflow/pinflow/local/temporal"
	"github.com/pinflow/pinflow/local/workspace"
)

// retention is how long the stack keeps closed workflows. With the server's default of one day, it
// would forget the runs of last week.
const retention = 30 * 24 * time.Hour

// transition is how long a stream of Kinesis is CREATING, UPDATING or DELETING. On AWS it takes
// seconds; with none, programs that do not wait would work here and fail there.
const transition = 100 * time.Millisecond

// startLimit limits the start of all parts.
const startLimit = 2 * time.Minute

// searchAttributes returns those that Pinflow's workflows set. `starter setup` would create them,
// too; here they save a step.
func searchAttributes() map[string]enumspb.IndexedValueType {
	all := map[string]enumspb.IndexedValueType{}
	for _, attribute := range search.Attributes() {
		all[attribute.Name] = attribute.Type
	}
	return all
}

// Options configure the stack.
type Options struct {
	// Data is the directory of its state.
	Data  string
	Ports Ports
	// SparkHome is the installation of Spark that runs notebooks in place of DuckDB.
	SparkHome string
	// Progress is where the stack reports its start.
	Progress io.Writer
	// Announce lets `starter` find the stack from any directory, through the user's state
	// directory.
	Announce bool
}

// stack holds the parts that have started.
type stack struct {
	Options
	secrets secrets
	log     *slog.Logger
	begun   time.Time
	mu      sync.Mutex
	stops   []func()
	lost    chan error // the error of a part that ended by itself
}

// Run starts the stack, writes its settings, and runs until the context ends. It returns a
// BusyError or an InUseError before it starts anything.
func Run(ctx context.Context, o Options) (err error) {
	if o.Data, err = filepath.Abs(o.Data); err != nil {
		return err
	}
	if err := makePrivate(o.Data); err != nil {
		return err
	}
	held, err := lock(o.Data)
	if err != nil {
		return err
	}
	defer held.Close()
	// A stack that was killed left its settings. Without this, clients would use them until the new
	// ones are written.
	settings := filepath.Join(o.Data, config.StackFile)
	if err := os.Remove(settings); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := o.Ports.check(); err != nil {
		return err
	}
	own, err := loadSecrets(o.Data)
	if err != nil {
		return err
	}
	logFile, err := os.OpenFile(filepath.Join(o.Data, "logs", "stack.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer logFile.Close()

	s := &stack{Options: o, secrets: own, begun: time.Now(), lost: make(chan error, 4), log: slog.New(slog.NewJSONHandler(logFile, nil))}
	defer s.stop()
	url, err := s.start(ctx, logFile)
	if err != nil {
		return err
	}
	if err := writeSettings(o.Data, o.Ports, url, own); err != nil {
		return err
	}
	defer func() { s.warn("remove the settings", os.Remove(settings)) }()
	if o.Announce {
		withdraw, err := config.AnnounceStack(o.Data)
		if s.warn("announce the stack", err); err == nil { // without it, PINFLOW_STACK still finds the stack
			defer func() { s.warn("withdraw the announcement", withdraw()) }()
		}
	}
	s.say("ready: settings in %s", settings)
	select {
	case <-ctx.Done():
		s.say("stopping")
		return nil
	case err := <-s.lost:
		return err
	}
}

// start starts all parts in parallel and returns the address of the workspace when all of them
// respond.
func (s *stack) start(ctx context.Context, log io.Writer) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.startTemporal(ctx) })
	group.Go(func() error { return s.startUI(ctx) })
	group.Go(func() error { return s.startKafka(log) })
	group.Go(s.startKinesis)
	var url string
	group.Go(func() (err error) { // the workspace reads from S3
		if err = s.startS3(log); err == nil {
			url, err = s.startWorkspace(ctx)
		}
		return err
	})
	return url, group.Wait()
}

func (s *stack) startTemporal(ctx context.Context) error {
	server, err := temporal.Start(temporal.Options{
		IP: loopback, Port: s.Ports.Temporal, Namespaces: []string{namespace}, Retention: retention, SearchAttributes: searchAttributes(),
		DatabaseFile: filepath.Join(s.Data, "temporal", temporal.DatabaseName()),
		LogFile:      filepath.Join(s.Data, "logs", "temporal.log"), LogLevel: "warn",
	})
	if err != nil {
		return err
	}
	s.started(func() { s.warn("stop Temporal", server.Stop()) })
	if err := temporal.WaitSchedules(ctx, address(s.Ports.Temporal), namespace); err != nil {
		return err
	}
	s.say("Temporal        %s", address(s.Ports.Temporal))
	return nil
}

func (s *stack) startUI(ctx context.Context) error {
	ui, err := temporal.StartUI(temporal.UIOptions{IP: loopback, Port: s.Ports.UI, Frontend: address(s.Ports.Temporal), Namespace: namespace})
	if err != nil {
		return err
	}
	s.started(ui.Stop)
	if err := temporal.WaitUI(ctx, loopback, s.Ports.UI); err != nil {
		return err
	}
	s.say("Temporal Web UI http://%s", address(s.Ports.UI))
	return nil
}

func (s *stack) startKafka(log io.Writer) error {
	broker, err := kafka.Start(s.Ports.Kafka, s.Ports.KafkaAdvertised, filepath.Join(s.Data, "kafka"), log)
	if err != nil {
		return err
	}
	s.started(broker.Stop)
	s.say("Kafka           %s", address(s.Ports.Kafka))
	return nil
}

func (s *stack) startS3(log io.Writer) error {
	server, err := s3.Start(s3.Options{
		Address: address(s.Ports.S3), Dir: filepath.Join(s.Data, "s3"), AccessKey: accessKey, SecretKey: s.secrets.secretKey, Region: region,
	}, log)
	if err != nil {
		return err
	}
	s.started(server.Stop)
	go func() {
		<-server.Done()
		s.lost <- fmt.Errorf("the S3 server has ended; the end of its log is in %s", filepath.Join(s.Data, "logs", "stack.log"))
	}()
	s.say("S3              http://%s", address(s.Ports.S3))
	return nil
}

func (s *stack) startKinesis() error {
	server, err := kinesis.Start(kinesis.Options{
		Address: address(s.Ports.Kinesis), Dir: filepath.Join(s.Data, "kinesis"), Region: region, Transition: transition, Logger: s.log,
		Credentials: kinesis.Credentials{AccessKey: accessKey, SecretKey: s.secrets.secretKey},
	})
	if err != nil {
		return err
	}
	s.started(server.Stop)
	go func() {
		<-server.Done()
		if err := server.Err(); err != nil {
			s.lost <- fmt.Errorf("kinesis: %w", err)
		}
	}()
	s.say("Kinesis         http://%s", address(s.Ports.Kinesis))
	return nil
}

func (s *stack) startWorkspace(ctx context.Context) (string, error) {
	server, err := workspace.New(ctx, workspace.Options{
		Address: address(s.Ports.Workspace), DataDir: filepath.Join(s.Data, "workspace"), Token: s.secrets.token, WarehouseID: warehouseID, Logger: s.log,
		SparkHome: s.SparkHome,
		S3:        workspace.S3Options{Endpoint: "http://" + address(s.Ports.S3), Region: region, AccessKey: accessKey, SecretKey: s.secrets.secretKey},
	})
	if err != nil {
		return "", fmt.Errorf("workspace: %w", err)
	}
	serving, end := context.WithCancel(context.WithoutCancel(ctx)) // it outlives the start
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := server.Serve(serving); err != nil {
			s.lost <- fmt.Errorf("workspace: %w", err)
		}
	}()
	s.started(func() { end(); <-ended })
	if err := server.Ready(ctx); err != nil {
		return "", fmt.Errorf("workspace: %w", err)
	}
	s.say("workspace       %s", server.URL())
	return server.URL(), nil
}

func (s *stack) started(stop func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stops = append(s.stops, stop)
}

// stop ends the parts, the last started first.
func (s *stack) stop() {
	for i := len(s.stops) - 1; i >= 0; i-- {
		s.stops[i]()
	}
}

// say writes a line of progress, with the seconds since the start.
func (s *stack) say(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(s.Progress, "%6.2fs  %s\n", time.Since(s.begun).Seconds(), fmt.Sprintf(format, args...))
}

func (s *stack) warn(what string, err error) {
	if err != nil {
		s.log.Warn(what, "error", err)
	}
}
