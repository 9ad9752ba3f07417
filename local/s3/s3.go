// Package s3 runs an S3 server, versitygw on a directory, in a process of its own, because it
// changes the working directory and allows one instance per process.
package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
)

// Subcommand is the hidden command of this program that runs Serve.
const Subcommand = "s3"

// shutdownLimit is how long Stop waits: the server would wait for idle connections for ever.
// Everything that it has acknowledged is on disk.
const shutdownLimit = time.Second

const (
	envAddress = "PINFLOW_LOCAL_S3_ADDRESS"
	envDir     = "PINFLOW_LOCAL_S3_DIR"
	envAccess  = "PINFLOW_LOCAL_S3_ACCESS_KEY"
	envSecret  = "PINFLOW_LOCAL_S3_SECRET_KEY"

	healthPath = "/healthz"
	// maxCopy is S3's limit for a copy in one request:
	// https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
	maxCopy = 5 << 30
	// maxParts is S3's limit for a multipart upload:
	// https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
	maxParts = 10_000
)

// Options configures the server.
type Options struct {
	Address              string
	Dir                  string
	AccessKey, SecretKey string
	Region               string
}

// Process is a running server.
type Process struct {
	cmd   *exec.Cmd
	stdin io.Closer
	done  chan struct{}
	err   error
}

// Start starts this program again as the server. The server ends with this process, even if this
// one is killed, because its standard input ends then.
func Start(o Options, log io.Writer) (*Process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, err
	}
	p := &Process{cmd: exec.Command(self, Subcommand), done: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), envAddress+"="+o.Address, envDir+"="+dir, envAccess+"="+o.AccessKey, envSecret+"="+o.SecretKey)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = ownGroup()
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return p, p.waitHealthy(o.Address)
}

func (p *Process) waitHealthy(address string) error {
	for {
		select {
		case <-p.done:
			return fmt.Errorf("the S3 server ended at its start: %w", p.failure())
		case <-time.After(10 * time.Millisecond):
		}
		if response, err := http.Get("http://" + address + healthPath); err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
	}
}

// Done is closed when the server has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Stop stops the server and waits until it has ended.
func (p *Process) Stop() {
	p.stdin.Close()
	select {
	case <-p.done:
	case <-time.After(5 * time.Second): // an upload hangs; its connection is closed
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

func (p *Process) failure() error {
	if p.err == nil {
		return errors.New("exit status 0")
	}
	return p.err
}

// Serve runs the server in this process until standard input ends.
func Serve(ctx context.Context, stdin io.Reader) error {
	dir := os.Getenv(envDir)
	buckets := filepath.Join(dir, "buckets")
	if err := os.MkdirAll(buckets, 0o700); err != nil {
		return err
	}
	storer, err := metadata(dir, buckets)
	if err != nil {
		return err
	}
	options := posix.PosixOpts{CopyObjectThreshold: maxCopy}
	options.SetNewFilePerm(0o600) // the server sets modes without regard to the umask
	backend, err := posix.New(buckets, storer, options)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, stdin)
		cancel()
		time.AfterFunc(shutdownLimit, func() { os.Exit(0) })
	}()
	return embedgw.RunVersityGW(ctx, backend, &embedgw.Config{
		RootUserAccess: os.Getenv(envAccess), RootUserSecret: os.Getenv(envSecret),
		Ports: []string{os.Getenv(envAddress)}, MaxConnections: 4096, MaxRequests: 2048, MultipartMaxParts: maxParts,
		KeepAlive: true, Quiet: true, HealthPath: healthPath,
	})
}

// metadata keeps the metadata of objects in extended attributes, or beside the buckets if the file
// system has none. It keeps the choice of the first start, because with a mixture metadata would be
// lost.
func metadata(dir, buckets string) (meta.MetadataStorer, error) {
	sidecar := filepath.Join(dir, "metadata")
	if _, err := os.Stat(sidecar); err == nil || (meta.XattrMeta{}).Test(buckets) != nil {
		return meta.NewSideCar(sidecar)
	}
	return meta.XattrMeta{}, nil
}
