package posts

import (
	"context"
	"errors"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// DefaultBatch is the default number of records in a request: enough for the full speed of the
	// gateway.
	DefaultBatch = 500
	// DefaultPatience is how long an emulation retries by default while the gateway is unavailable.
	DefaultPatience = 2 * time.Minute
)

// ErrUnreachable is the error of a gateway, or of a database with posts, that does not respond.
var ErrUnreachable = errors.New("unreachable")

// EmitInput is what to post where, and how fast.
type EmitInput struct {
	Source Source
	// URL is the address of the gateway, APIKey one of its keys. Topic returns the topic of a kind.
	URL, APIKey string
	Topic       func(kind string) string
	// Posts is the number of posts, including those of a resumed emulation; all posts of the source
	// by default.
	Posts int
	// Batch is the maximum number of records in a request; DefaultBatch by default.
	Batch int
	// Rate is the number of posts per second; no limit by default.
	Rate float64
	// Checkpoints is the directory of checkpoints; none are written by default.
	Checkpoints string
	// Resume continues after the last record that the gateway acknowledged, if source and gateway
	// are the same.
	Resume bool
	// Progress, if not nil, is called after each request and before each retry, never concurrently.
	Progress func(EmitProgress)
	// Patience is how long the emulation retries while the gateway is unavailable; DefaultPatience
	// by default.
	Patience time.Duration
	// Client sends the requests; a new client by default.
	Client *http.Client
}

// EmitProgress is the progress of an emulation. Repeated and misplaced records do not count.
type EmitProgress struct {
	Done, Total int
	// Retrying is the error of a request before its retry; nil after a success.
	Retrying error
}

// EmitResult is the result of an emulation.
type EmitResult struct {
	// Posts is the number of posts that have been sent completely, including those of a resumed
	// emulation.
	Posts int `json:"posts"`
	// Records counts the records that the gateway acknowledged, by kind. Bytes is the size of their
	// values.
	Records map[string]int `json:"records"`
	Bytes   int64          `json:"bytes"`
	// Resumed counts the records that the resumed emulation had sent.
	Resumed int `json:"resumed"`
	// Retries counts the retried requests.
	Retries  int           `json:"retries"`
	Duration time.Duration `json:"-"`
}

// Total returns how many records were sent.
func (r EmitResult) Total() int {
	total := 0
	for _, n := range r.Records {
		total += n
	}
	return total
}

// Emit posts, and returns when the gateway has acknowledged all records. It fills the topics in
// parallel, each in the order of its lines.
//
// Delivery is at least once: a request whose response is lost is retried, and a resumed emulation
// repeats the requests that were open. No record is lost, and within a topic the order is kept.
// After ErrUnreachable the emulation can be resumed.
func Emit(ctx context.Context, in EmitInput) (EmitResult, error) {
	e, err := newEmitter(in)
	if err != nil {
		return EmitResult{}, err
	}
	began := time.Now()
	group, groupContext := errgroup.WithContext(ctx)
	for _, kind := range Kinds {
		group.Go(func() error { return e.emit(groupContext, kind) })
	}
	err = group.Wait()
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	result := e.result
	result.Duration = time.Since(began)
	result.Posts = e.allDone()
	return result, err
}
