package workspace

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/pinflow/pinflow/local/workspace/dashboards"
	"github.com/pinflow/pinflow/local/workspace/runs"
	"github.com/pinflow/pinflow/local/workspace/statements"
	"github.com/pinflow/pinflow/local/workspace/tree"
)

const (
	// cleanupInterval is how often expired runs and results are removed.
	cleanupInterval = time.Hour

	defaultSlots        = 8
	defaultDrainTimeout = 10 * time.Second
)

// Options configures the workspace.
type Options struct {
	// Address is where to listen, for example 127.0.0.1:8090. Port 0 is a free port, which URL
	// returns.
	Address string
	// DataDir holds all state: runs, notebooks (under workspace/) and the engine's tables. New
	// creates it. Only one process can use it at a time.
	DataDir string
	// Token is the personal access token of all API calls.
	Token string
	// WarehouseID is the id of the only SQL warehouse.
	WarehouseID string
	// S3 is the object store behind s3:// paths. Not used if Engine is set.
	S3 S3Options
	// PublicURL is the start of links to runs, if browsers reach the workspace at another address
	// than that of the listener, which is the default.
	PublicURL string
	// Engine runs SQL; by default an engine under DataDir. The workspace does not close a given
	// engine.
	Engine Engine
	// SparkHome is the directory of an installation of Spark (see [spark.Options]), which then runs
	// SQL in place of the default engine.
	SparkHome string
	// MemoryLimit, for example 4GB, and Threads limit the default engine; zero values are its
	// defaults.
	MemoryLimit string
	Threads     int
	// MaxConcurrentTasks is how many notebooks run at a time, and how many statements; the others
	// are PENDING. 8 by default.
	MaxConcurrentTasks int
	// DrainTimeout is how long the workspace waits for notebooks and statements when it is stopped,
	// before it interrupts them. 10 s by default.
	DrainTimeout time.Duration
	// Logger is the log; slog.Default() by default.
	Logger *slog.Logger

	// Now is the time; time.Now by default.
	Now func() time.Time
}

// Server is a workspace.
type Server struct {
	options     Options
	log         *slog.Logger
	now         func() time.Time
	listener    net.Listener
	engine      Engine
	closeEngine func() error
	tree        *tree.Tree
	runs        *runs.API
	statements  *statements.API
	dashboards  *dashboards.API
}

// New opens the state under DataDir and the listener, so that a port in use and damaged state are
// errors here. Runs that were active when the last process died end as failed. The caller must call
// Serve, which releases everything.
func New(ctx context.Context, o Options) (*Server, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Server{options: o, log: o.Logger, now: o.Now, engine: o.Engine, closeEngine: noClose}
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(err, s.release())
	}
	return s, nil
}

func (o Options) withDefaults() (Options, error) {
	switch {
	case o.Address == "":
		return o, errors.New("the workspace needs an address to listen on, as in 127.0.0.1:8090")
	case o.DataDir == "":
		return o, errors.New("the workspace needs a data directory")
	case o.Token == "":
		return o, errors.New("the workspace needs a token for its clients")
	case o.WarehouseID == "":
		return o, errors.New("the workspace needs the id of its warehouse")
	}
	dir, err := filepath.Abs(o.DataDir)
	if err != nil {
		return o, fmt.Errorf("find the data directory of the workspace: %w", err)
	}
	o.DataDir = dir
	if o.MaxConcurrentTasks <= 0 {
		o.MaxConcurrentTasks = defaultSlots
	}
	if o.DrainTimeout <= 0 {
		o.DrainTimeout = defaultDrainTimeout
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o, nil
}

func (s *Server) open(ctx context.Context) (err error) {
	if err := os.MkdirAll(s.options.DataDir, 0o700); err != nil {
		return fmt.Errorf("create the data directory of the workspace: %w", err)
	}
	if s.listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", s.options.Address); err != nil {
		return fmt.Errorf("the workspace cannot listen on %s; is another one running, or is the port in use? %w", s.options.Address, err)
	}
	if s.engine == nil {
		if s.engine, s.closeEngine, err = openEngine(ctx, s.options); err != nil {
			return err
		}
	}
	s.engine = guarded{s.engine, s.log}
	if s.tree, err = tree.Open(filepath.Join(s.options.DataDir, "workspace")); err != nil {
		return err
	}
	// After the listener and the lock of the engine: no other process uses the directory then.
	if s.runs, err = runs.Open(ctx, runs.Options{
		Path: filepath.Join(s.options.DataDir, "runs.sqlite"), URL: s.URL(), WarehouseID: s.options.WarehouseID,
		Notebooks: s.tree, Engine: s.engine, Slots: s.options.MaxConcurrentTasks, Now: s.now, Logger: s.log,
	}); err != nil {
		return err
	}
	if s.dashboards, err = dashboards.Open(dashboards.Options{
		Dir: filepath.Join(s.options.DataDir, "dashboards"), Tree: s.tree, Now: s.now,
	}); err != nil {
		return err
	}
	s.statements = statements.New(statements.Options{
		WarehouseID: s.options.WarehouseID, Engine: s.engine, Slots: s.options.MaxConcurrentTasks, Now: s.now,
	})
	return nil
}

// release closes what is open, also of a workspace that New could not open completely.
func (s *Server) release() error {
	var errs []error
	if s.listener != nil {
		if err := s.listener.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if s.runs != nil {
		errs = append(errs, s.runs.Close())
	}
	if s.tree != nil {
		errs = append(errs, s.tree.Close())
	}
	return errors.Join(append(errs, s.closeEngine())...)
}

// URL returns the address of the workspace, without a slash at the end.
func (s *Server) URL() string {
	if s.options.PublicURL != "" {
		return s.options.PublicURL
	}
	return "http://" + s.listener.Addr().String()
}

// Serve serves until ctx ends. Then it takes no more requests, waits for notebooks and statements
// for DrainTimeout, interrupts the others (their runs fail with a message that says so) and closes
// everything. It returns nil if ctx ended it.
func (s *Server) Serve(ctx context.Context) error {
	server := &http.Server{
		Handler:           s.routes(),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(s.listener) }()
	s.log.Info("workspace is listening", "url", s.URL(), "data", s.options.DataDir)
	err := s.tend(ctx, failed)
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.options.DrainTimeout)
	defer cancel()
	s.drain(drain, server)
	return errors.Join(err, s.release())
}

// tend removes expired runs and results until ctx ends or the listener fails.
func (s *Server) tend(ctx context.Context, failed <-chan error) error {
	ticker := time.NewTicker(cleanupInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-failed:
			return fmt.Errorf("the workspace stopped listening: %w", err)
		case <-ticker.C:
			s.statements.Sweep()
			if err := s.runs.Expire(ctx); err != nil {
				s.log.Error("cleaning up failed", "error", err)
			}
		}
	}
}

// drain ends requests, runs and statements in parallel, because requests wait for statements.
func (s *Server) drain(ctx context.Context, server *http.Server) {
	statements := make(chan struct{})
	go func() {
		defer close(statements)
		s.statements.Drain(ctx)
	}()
	if err := server.Shutdown(ctx); err != nil {
		s.log.Warn("open requests were closed", "error", err, "closed", server.Close())
	}
	s.runs.Drain(ctx)
	<-statements
}

// Ready waits until the workspace, its store and its engine respond.
func (s *Server) Ready(ctx context.Context) error {
	// New opened the listener, so that the first request waits for Serve.
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.listener.Addr().String()+"/healthz", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("the workspace at %s does not answer: %w", s.URL(), err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the workspace at %s is not ready: %s", s.URL(), response.Status)
	}
	return nil
}
