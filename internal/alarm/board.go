package alarm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/pinflow/pinflow/internal/bucket"
)

const (
	// lease is how long a claim keeps other workers from posting. The owner of a claim renews it
	// every minute while it retries.
	lease = 3 * time.Minute
	// renewal is up to which age an owner renews its claim. Between that and the lease is room for
	// clocks that differ and for a POST that takes its time.
	renewal = lease / 2
	// settleTimeout limits a POST with the record of it. A worker that is stopped ends both first:
	// an alarm that the hook has, and no record, would be resolved by nobody before its lease is over.
	settleTimeout = 15 * time.Second
)

// Board posts each message once, however many workers there are, and across restarts.
//
// The objects of an alarm are in a folder for each kind, date and run. A worker claims a message with
// an object that only one worker can write, posts it, and then writes <n>-raised.json or
// <n>-resolved.json, after which no worker posts it again. n counts how often the alarm was raised.
// A claim expires if its owner does not renew it, and the next worker claims the message, so that
// none is lost. A message is posted twice only if a worker dies, or the bucket fails, after the
// hook's answer and before the object is written. If the cause ends before the next worker's turn,
// the hook may have the alarm or not: that it is resolved is posted in both cases.
type Board struct {
	Objects bucket.Objects
	// Post posts a message to the hook.
	Post func(ctx context.Context, alarm Alarm) error
	// Owner identifies this process: it is different after each start.
	Owner string
	Now   func() time.Time
}

// Posted is what Raise and Resolve did.
type Posted string

// The results of Raise and Resolve.
const (
	PostedNow       Posted = "now"       // the hook accepted the message
	PostedBefore    Posted = "before"    // the hook accepted it earlier
	PostedElsewhere Posted = "elsewhere" // another worker is posting it
)

// Known is an alarm that was raised, or claimed by a worker that may have raised it.
type Known struct {
	Alarm
	// Times counts how often it was raised.
	Times int
}

// record is the content of the object of a posted message.
type record struct {
	Alarm
	At time.Time `json:"postedAt"`
}

// claim is the content of a claim. It has the alarm, so that one that was raised and not recorded can
// be resolved.
type claim struct {
	Alarm
	By string    `json:"by"`
	At time.Time `json:"at"`
}

// Unresolved returns the alarms of a DAG that were raised, or may have been, and are not resolved, in
// the order of their dates.
func (b *Board) Unresolved(ctx context.Context, dag string) ([]Known, error) {
	listed, err := b.Objects.List(ctx, bucket.ListInput{Prefix: prefix(dag)})
	if err != nil {
		return nil, fmt.Errorf("list the alarms of %s: %w", dag, err)
	}
	var keys []string
	for _, object := range listed {
		folder, name := split(object.Key)
		n, state, _, posted := parse(name)
		if n == 0 || state == Resolved && !posted {
			continue
		}
		// In the order of keys the claims of a message come before its record, and that before what
		// resolves it.
		if last := len(keys) - 1; last >= 0 && strings.HasPrefix(keys[last], messageOf(folder, n, Raised)+".") {
			keys = keys[:last]
		}
		if state == Raised {
			keys = append(keys, object.Key)
		}
	}
	all := make([]Known, len(keys))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(bucket.ParallelRequests)
	for i, key := range keys {
		group.Go(func() error {
			body, err := b.Objects.Get(ctx, key)
			if err != nil {
				return fmt.Errorf("read alarm %s: %w", key, err)
			}
			var found record
			if err := json.Unmarshal(body, &found); err != nil {
				return fmt.Errorf("alarm %s is unreadable, delete it: %w", key, err)
			}
			_, name := split(key)
			n, _, _, _ := parse(name)
			all[i] = Known{found.Alarm, n}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return all, nil
}

// Raise posts the alarm, unless it was posted before and is not resolved, or another worker is
// posting it. After an error the caller calls it again within the lease.
//
// An alarm that was just resolved is not raised again: the caller may have looked before the worker
// that resolved it.
func (b *Board) Raise(ctx context.Context, alarm Alarm) (Posted, error) {
	messages, err := b.messages(ctx, alarm.folder())
	if err != nil {
		return "", err
	}
	n := messages.last()
	switch {
	case n > 0 && messages[message{n, Resolved}].posted:
		body, err := b.Objects.Get(ctx, messageKey(alarm.folder(), n, Resolved))
		if err != nil {
			return "", fmt.Errorf("read alarm %s: %w", alarm.folder(), err)
		}
		var resolved record
		if json.Unmarshal(body, &resolved) == nil && b.Now().Sub(resolved.At) < lease {
			return PostedElsewhere, nil
		}
		n++
	case n > 0 && messages[message{n, Raised}].posted:
		return PostedBefore, nil
	case n == 0:
		n = 1
	}
	alarm.State, alarm.ID = Raised, fmt.Sprintf("%s/%s/%d", alarm.Deployment, alarm.Cause(), n)
	return b.post(ctx, message{n, Raised}, messages, alarm.texted())
}

// Resolve posts that the alarm is resolved, and why. It does nothing if another worker did or does.
func (b *Board) Resolve(ctx context.Context, known Known, reason string) (Posted, error) {
	messages, err := b.messages(ctx, known.folder())
	if err != nil {
		return "", err
	}
	resolved := message{known.Times, Resolved}
	if messages[resolved].posted {
		return PostedBefore, nil
	}
	if raised := (message{known.Times, Raised}); !messages[raised].posted { // its worker must not raise it now
		if got, err := b.claim(ctx, raised, messages, known.Alarm); err != nil || !got {
			return PostedElsewhere, err
		}
	}
	return b.post(ctx, resolved, messages, known.resolve(reason))
}

// post claims a message, posts it, and records that.
func (b *Board) post(ctx context.Context, m message, messages messages, alarm Alarm) (Posted, error) {
	if got, err := b.claim(ctx, m, messages, alarm); err != nil || !got {
		return PostedElsewhere, err
	}
	ctx, done := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer done()
	if err := b.Post(ctx, alarm); err != nil {
		return "", fmt.Errorf("alarm %q: %w", alarm.Title(), err)
	}
	body, err := json.Marshal(record{alarm, b.Now().UTC()})
	if err != nil {
		return "", err
	}
	folder := alarm.folder()
	if err := b.Objects.Put(ctx, bucket.PutInput{Key: messageKey(folder, m.n, m.state), Body: body, OnlyNew: true}); err != nil && !errors.Is(err, bucket.ErrExists) {
		return "", fmt.Errorf("record that alarm %s was posted: %w", folder, err)
	}
	return PostedNow, nil
}

// claim claims a message for this worker, and reports whether it got it.
func (b *Board) claim(ctx context.Context, m message, messages messages, alarm Alarm) (bool, error) {
	folder := alarm.folder()
	number, mine, err := b.claimOf(ctx, folder, m, messages[m].claims)
	if err != nil || number == 0 {
		return false, err
	}
	body, err := json.Marshal(claim{alarm, b.Owner, b.Now().UTC()})
	if err != nil {
		return false, err
	}
	err = b.Objects.Put(ctx, bucket.PutInput{Key: claimKey(folder, m, number), Body: body, OnlyNew: !mine})
	if errors.Is(err, bucket.ErrExists) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("claim the alarm %s: %w", folder, err)
	}
	return true, nil
}

// claimOf returns the number of the claim to write, given that of the last one. mine reports whether
// it renews a claim of this worker. The number is 0 if another worker has the claim.
func (b *Board) claimOf(ctx context.Context, folder string, m message, last int) (number int, mine bool, err error) {
	if last == 0 {
		return 1, false, nil
	}
	body, err := b.Objects.Get(ctx, claimKey(folder, m, last))
	if err != nil {
		return 0, false, fmt.Errorf("read the claim of alarm %s: %w", folder, err)
	}
	var found claim
	readable := json.Unmarshal(body, &found) == nil
	switch age := b.Now().Sub(found.At); {
	case !readable, age >= lease: // a claim without a readable owner cannot be renewed
		return last + 1, false, nil
	case found.By == b.Owner && age < renewal:
		return last, true, nil
	case found.By == b.Owner: // too old: another worker, whose clock is ahead, may be taking it over
		return last + 1, false, nil
	}
	return 0, false, nil
}
