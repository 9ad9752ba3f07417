package posts

import (
	"context"
	"errors"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// DefaultBatch is how many records a request has unless told otherwise: enough for the gateway's full speed.
	DefaultBatch = 500
	// DefaultPatience is how long the gateway may be away before the emulation gives up.
	DefaultPatience = 2 * time.Minute
)

// ErrUnreachable says that the gateway, or the database with the posts, does not answer.
var ErrUnreachable = errors.New("it does not answer")

// EmitInput says what is posted where, and how fast.
type EmitInput struct {
	Source Source
	// URL is where the gateway is, APIKey a key that it accepts, and Topic the name of a kind's topic.
	URL, APIKey string
	Topic       func(kind string) string
	// Posts is how many posts are made in all, those of an earlier, resumed emulation included; 0 is all that the source has.
	Posts int
	// Batch is the most records of a request; 0 is DefaultBatch.
	Batch int
	// Rate is how many posts are made a second; 0 is as fast as the gateway takes them.
	Rate float64
	// Checkpoints is a directory in which it is kept how far the emulation is; "" keeps nothing.
	Checkpoints string
	// Resume goes on after the last record that the gateway has acknowledged, if the source and the gateway are the same as then.
	Resume bool
	// Progress, if not nil, is called after each request and before each retry, by one goroutine at a time.
	Progress func(EmitProgress)
	// Patience is how long the gateway may be away before the emulation gives up; 0 is 2 minutes.
	Patience time.Duration
	// Client makes the requests; nil is a client of its own.
	Client *http.Client
}

// EmitProgress is how far an emulation is. Records that repeat or misplace a post do not count.
type EmitProgress struct {
	Done, Total int
	// Retrying is the error of a request that is about to be repeated; nil after one that succeeded.
	Retrying error
}

// EmitResult is what an emulation has done.
type EmitResult struct {
	// Posts is the number of the post up to which all is sent, an earlier part included.
	Posts int `json:"posts"`
	// Records are the records that the gateway has acknowledged, by kind; Bytes are those of their values.
	Records map[string]int `json:"records"`
	Bytes   int64          `json:"bytes"`
	// Resumed are the records that an earlier emulation had sent.
	Resumed int `json:"resumed"`
	// Retries are the requests that were repeated.
	Retries  int           `json:"retries"`
	Duration time.Duration `json:"-"`
}

// Total is how many records were sent.
func (r EmitResult) Total() int {
	total := 0
	for _, n := range r.Records {
		total += n
	}
	return total
}

// Emit posts, and returns when the gateway has acknowledged everything. The topics are filled at the same time, each in the order of its lines.
//
// Delivery is at least once: if an answer is lost, the request is repeated, and an emulation that is resumed repeats what was
// under way. No record is lost or overtaken by one that comes after it. An error that is ErrUnreachable can be resumed.
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
