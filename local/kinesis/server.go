// Package kinesis runs Kinesis Data Streams inside this process, as aws-sdk-go-v2 speaks to it: with
// the limits of shards, their splits and merges, signatures, and its records on disk.
package kinesis

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/pinflow/pinflow/local/kinesis/journal"
	"github.com/pinflow/pinflow/local/kinesis/streams"
)

const (
	// keyFile has the key of the tokens.
	keyFile = "token.key"
	// maxBody is the size of a PutRecords of 10 MiB in base64, with room for its JSON.
	maxBody = 16 << 20
	// tidyEvery is how often expired records are removed from disk.
	tidyEvery = time.Minute
	// shutdownLimit is how long Stop waits for requests.
	shutdownLimit = time.Second
)

// Options configures a server.
type Options struct {
	// Address is where it listens, host:port.
	Address string
	// Dir holds its state.
	Dir string
	Credentials
	Region string
	// Transition is how long a stream is CREATING, UPDATING or DELETING.
	Transition time.Duration
	// Clock is time.Now if nil.
	Clock  func() time.Time
	Logger *slog.Logger
}

// Server is a running server.
type Server struct {
	credentials Credentials
	clock       func() time.Time
	broker      *broker
	key         []byte
	signer      *v4.Signer
	actions     map[string]action
	http        *http.Server
	listener    net.Listener
	log         *slog.Logger
	quit, lost  chan struct{}
	err         error
}

// Start starts a server. It serves when Start returns. What it has acknowledged survives a kill of
// the process and a crash of the machine.
func Start(o Options) (*Server, error) {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	b, err := openBroker(o.Dir, streams.NewAccount(o.Region, o.Transition), o.Clock)
	if err != nil {
		return nil, fmt.Errorf("kinesis in %s: %w", o.Dir, err)
	}
	s := &Server{
		credentials: o.Credentials, clock: o.Clock, broker: b, signer: v4.NewSigner(), log: o.Logger,
		quit: make(chan struct{}), lost: make(chan struct{}),
	}
	if cut := b.journal.Cut; cut > 0 {
		o.Logger.Warn("cut off what a crash had left unfinished; none of it was acknowledged", "bytes", cut)
	}
	if s.key, err = tokenKey(filepath.Join(o.Dir, keyFile)); err == nil {
		s.listener, err = net.Listen("tcp", o.Address)
	}
	if err != nil {
		b.close()
		return nil, fmt.Errorf("kinesis in %s: %w", o.Dir, err)
	}
	s.actions = s.table()
	s.http = &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 5 * time.Minute}
	go s.serve()
	go s.tidy()
	return s, nil
}

func (s *Server) serve() {
	if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		s.err = err
	}
	close(s.lost)
}

func (s *Server) tidy() {
	ticker := time.NewTicker(tidyEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			if err := s.broker.tidy(); err != nil {
				s.log.Warn("remove expired records", "error", err)
			}
		case <-s.quit:
			return
		}
	}
}

// Address returns where the server listens, host:port.
func (s *Server) Address() string { return s.listener.Addr().String() }

// Done is closed when the server has ended; Err then says why.
func (s *Server) Done() <-chan struct{} { return s.lost }

// Err returns why a server has ended that was not stopped.
func (s *Server) Err() error { return s.err }

// Stop stops the server.
func (s *Server) Stop() {
	close(s.quit)
	ctx, cancel := context.WithTimeout(context.Background(), shutdownLimit)
	defer cancel()
	if s.http.Shutdown(ctx) != nil { // a request hangs
		_ = s.http.Close()
	}
	<-s.lost
	s.broker.close()
}

// tokenKey reads the key of the tokens, and makes one the first time.
func tokenKey(file string) ([]byte, error) {
	key, err := os.ReadFile(file)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	key = []byte(rand.Text())
	return key, journal.ReplaceFile(file, key)
}

// ServeHTTP answers a request of the API.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Amzn-Requestid", rand.Text())
	out, err := s.do(w, r)
	if err != nil {
		var documented *streams.Error
		if !errors.As(err, &documented) {
			s.log.Error("a request failed", "target", r.Header.Get("X-Amz-Target"), "error", err)
		}
		fail(w, err)
		return
	}
	answer(w, http.StatusOK, out)
}

func (s *Server) do(w http.ResponseWriter, r *http.Request) (any, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return nil, &streams.Error{Code: "SerializationException", Message: "the request cannot be read: " + err.Error()}
	}
	if got := r.Header.Get("Content-Type"); got != contentType {
		return nil, &streams.Error{Code: "SerializationException", Message: fmt.Sprintf(
			"this server speaks %s and no CBOR, and got %q: switch CBOR off (AWS_CBOR_DISABLE=true for AWS's SDK for Java)", contentType, got)}
	}
	name, ok := strings.CutPrefix(r.Header.Get("X-Amz-Target"), targetPrefix)
	action := s.actions[name]
	if !ok || action == nil || r.Method != http.MethodPost {
		return nil, &streams.Error{Code: "UnknownOperationException", Message: fmt.Sprintf("this server does not have the operation %q", r.Header.Get("X-Amz-Target"))}
	}
	if err := s.authenticate(r, body); err != nil {
		return nil, err
	}
	if err := s.broker.look(func(a *streams.Account, now time.Time) error { return a.Call(now, name) }); err != nil {
		return nil, err
	}
	return action(body)
}

// action answers a request.
type action func(body []byte) (any, error)

// on makes an action of a method.
func on[In any](method func(In) (any, error)) action {
	return func(body []byte) (any, error) {
		var in In
		if err := read(body, &in); err != nil {
			return nil, err
		}
		return method(in)
	}
}

func (s *Server) table() map[string]action {
	return map[string]action{
		"AddTagsToStream":               on(s.addTags),
		"CreateStream":                  on(s.createStream),
		"DecreaseStreamRetentionPeriod": on(s.retention(false)),
		"DeleteStream":                  on(s.deleteStream),
		"DescribeStream":                on(s.describeStream),
		"DescribeStreamSummary":         on(s.describeStreamSummary),
		"GetRecords":                    on(s.getRecords),
		"GetShardIterator":              on(s.getShardIterator),
		"IncreaseStreamRetentionPeriod": on(s.retention(true)),
		"ListShards":                    on(s.listShards),
		"ListStreams":                   on(s.listStreams),
		"ListTagsForStream":             on(s.listTags),
		"MergeShards":                   on(s.mergeShards),
		"PutRecord":                     on(s.putRecord),
		"PutRecords":                    on(s.putRecords),
		"RemoveTagsFromStream":          on(s.removeTags),
		"SplitShard":                    on(s.splitShard),
		"UpdateMaxRecordSize":           on(s.updateMaxRecordSize),
		"UpdateShardCount":              on(s.updateShardCount),
	}
}
