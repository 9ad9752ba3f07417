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
)

const (
	// runLifetime is how long a run is kept after it has ended: 60 days (Jobs API, runs/get-output).
	runLifetime = 60 * 24 * time.Hour
	// cleanupInterval is how often expired runs and results are looked for.
	cleanupInterval = time.Hour

	defaultSlots        = 8
	defaultDrainTimeout = 10 * time.Second
)

// Options say where the workspace listens, where it keeps its state and who may use it.
type Options struct {
	// Address is where to listen, as in 127.0.0.1:8090. Port 0 takes a free one, which URL then tells.
	Address string
	// DataDir holds all state: runs, notebooks (under workspace/) and the engine's tables. It is made if it is not there. One process at a time.
	DataDir string
	// Token is the personal access token that each API call must bear.
	Token string
	// WarehouseID is the id of the one SQL warehouse.
	WarehouseID string
	// S3 is the object store behind s3:// paths. Not used if Engine is set.
	S3 S3Options
	// PublicURL is the address that links to runs begin with, for a workspace that browsers reach by another address than it listens on.
	// Empty means the address of the listener.
	PublicURL string
	// Engine runs SQL. Nil opens an engine of the workspace's own under DataDir. An engine that is given is not closed by the workspace.
	Engine Engine
	// MemoryLimit, as in 4GB, and Threads bound the workspace's own engine; zero values leave it to the engine.
	MemoryLimit string
	Threads     int
	// MaxConcurrentTasks is how many notebooks run at once, and how many statements beside them; the others wait as PENDING. 0 means 8.
	MaxConcurrentTasks int
	// DrainTimeout is how long running notebooks and statements may take to end when the workspace is stopped; then they are interrupted. 0 means 10 s.
	DrainTimeout time.Duration
	// Logger takes the workspace's log; nil means slog.Default().
	Logger *slog.Logger

	now func() time.Time
}

// Server is a workspace. New makes it, Serve runs it.
type Server struct {
	options     Options
	log         *slog.Logger
	now         func() time.Time
	listener    net.Listener
	store       *store
	tree        *tree
	engine      Engine
	closeEngine func() error
	runner      *runner
	statements  *statements
}

// New opens the state under DataDir and the listener, so that a port in use or damaged state is an error here and URL is known. Runs that were in
// progress when the last process died are ended as failed. The caller must call Serve, which releases everything in the end.
func New(ctx context.Context, o Options) (*Server, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Server{options: o, log: o.Logger, now: o.now, engine: o.Engine, closeEngine: func() error { return nil }}
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(err, s.release())
	}
	s.engine = guarded{s.engine, s.log}
	s.runner = newRunner(s.store, s.tree, s.engine, o.MaxConcurrentTasks, s.now, s.log)
	s.statements = newStatements(s.engine, o.MaxConcurrentTasks, s.now)
	return s, nil
}

func (o Options) withDefaults() (Options, error) {
	switch {
	case o.Address == "":
		return o, errors.New("the workspace needs an address to listen on, as in 127.0.0.1:8090")
	case o.DataDir == "":
		return o, errors.New("the workspace needs a data directory")
	case o.Token == "":
		return o, errors.New("the workspace needs a token that its clients must bear")
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
	if o.now == nil {
		o.now = time.Now
	}
	return o, nil
}

func (s *Server) open(ctx context.Context) (err error) {
	if err := os.MkdirAll(s.options.DataDir, 0o755); err != nil {
		return fmt.Errorf("make the data directory of the workspace: %w", err)
	}
	if s.listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", s.options.Address); err != nil {
		return fmt.Errorf("the workspace cannot listen on %s; is another one running, or is the port in use? %w", s.options.Address, err)
	}
	if s.engine == nil {
		own, err := openEngine(ctx, s.options, s.options.DataDir)
		if err != nil {
			return err
		}
		s.engine, s.closeEngine = own, own.Close
	}
	if s.tree, err = openTree(filepath.Join(s.options.DataDir, "workspace")); err != nil {
		return err
	}
	if s.store, err = openStore(ctx, filepath.Join(s.options.DataDir, "runs.sqlite")); err != nil {
		return err
	}
	// Only after the listener and the engine's lock, which prove that no other process is at work on this directory.
	ended, err := s.store.endInterrupted(ctx, s.now())
	if err != nil {
		return err
	}
	if ended > 0 {
		s.log.Warn("runs that were in progress when the workspace died are marked as failed", "runs", ended)
	}
	return s.expireRuns(ctx)
}

func (s *Server) expireRuns(ctx context.Context) error {
	removed, err := s.store.expire(ctx, s.now().Add(-runLifetime))
	if err != nil {
		return fmt.Errorf("remove expired runs: %w", err)
	}
	if removed > 0 {
		s.log.Info("expired runs removed", "runs", removed)
	}
	return nil
}

// release closes what is open. It is safe on a half-opened workspace.
func (s *Server) release() error {
	var errs []error
	if s.listener != nil {
		if err := s.listener.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if s.store != nil {
		errs = append(errs, s.store.close())
	}
	if s.tree != nil {
		errs = append(errs, s.tree.close())
	}
	return errors.Join(append(errs, s.closeEngine())...)
}

// URL is the address of the workspace for clients and browsers, without a slash at the end.
func (s *Server) URL() string {
	if s.options.PublicURL != "" {
		return s.options.PublicURL
	}
	return "http://" + s.listener.Addr().String()
}

// Serve answers until ctx ends. Then it takes no more requests, gives running notebooks and statements DrainTimeout to end, interrupts the others
// (their runs end as failed, with a message that says why) and closes everything. A stop that was asked for returns nil.
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

// tend does the regular work until ctx ends or the listener fails.
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
			s.statements.sweep()
			if err := s.expireRuns(ctx); err != nil {
				s.log.Error("cleaning up failed", "error", err)
			}
		}
	}
}

// drain ends the work side by side, so that a request which waits for a statement and the statement end together.
func (s *Server) drain(ctx context.Context, server *http.Server) {
	statements := make(chan struct{})
	go func() {
		defer close(statements)
		s.statements.drain(ctx)
	}()
	if err := server.Shutdown(ctx); err != nil {
		s.log.Warn("open requests were cut off", "error", err, "closed", server.Close())
	}
	s.runner.drain(ctx)
	<-statements
}

// Ready waits until the workspace answers, with its store and its engine, or ctx ends.
func (s *Server) Ready(ctx context.Context) error {
	// The listener is open since New, so that the first request waits for Serve.
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
