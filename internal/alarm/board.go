package alarm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
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
)

// Board posts each message once, however many workers there are, and across restarts.
//
// The objects of an alarm are in a folder for each kind, date and run. A worker claims a message with
// an object that only one worker can write, posts it, and then writes <n>-raised.json or
// <n>-resolved.json, after which no worker posts it again. n counts how often the alarm was raised.
// A claim expires if its owner does not renew it, and the next worker claims the message, so that
// none is lost. A message is posted twice only if a worker dies, or the bucket fails, after the
// hook's answer and before the object is written.
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

// Known is an alarm that was raised.
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

// claim is the content of a claim.
type claim struct {
	By string    `json:"by"`
	At time.Time `json:"at"`
}

// Unresolved returns the alarms of a DAG that were raised and are not resolved, in the order of
// their dates.
func (b *Board) Unresolved(ctx context.Context, dag string) ([]Known, error) {
	listed, err := b.Objects.List(ctx, bucket.ListInput{Prefix: prefix(dag)})
	if err != nil {
		return nil, fmt.Errorf("list the alarms of %s: %w", dag, err)
	}
	var keys []string
	for _, object := range listed {
		folder, name := split(object.Key)
		n, state, _, posted := parse(name)
		last := len(keys) - 1
		switch {
		case posted && state == Raised:
			keys = append(keys, object.Key)
		case posted && last >= 0 && keys[last] == messageKey(folder, n, Raised): // it comes next in the order of keys
			keys = keys[:last]
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
	return b.post(ctx, resolved, messages, known.resolve(reason))
}

// post claims a message, posts it, and records that.
func (b *Board) post(ctx context.Context, m message, messages messages, alarm Alarm) (Posted, error) {
	folder := alarm.folder()
	number, mine, err := b.claimOf(ctx, folder, m, messages[m].claims)
	if err != nil || number == 0 {
		return PostedElsewhere, err
	}
	body, err := json.Marshal(claim{By: b.Owner, At: b.Now().UTC()})
	if err != nil {
		return "", err
	}
	err = b.Objects.Put(ctx, bucket.PutInput{Key: claimKey(folder, m, number), Body: body, OnlyNew: !mine})
	if errors.Is(err, bucket.ErrExists) {
		return PostedElsewhere, nil
	}
	if err != nil {
		return "", fmt.Errorf("claim the alarm %s: %w", folder, err)
	}
	if err := b.Post(ctx, alarm); err != nil {
		return "", fmt.Errorf("alarm %q: %w", alarm.Title(), err)
	}
	if body, err = json.Marshal(record{alarm, b.Now().UTC()}); err != nil {
		return "", err
	}
	if err := b.Objects.Put(ctx, bucket.PutInput{Key: messageKey(folder, m.n, m.state), Body: body, OnlyNew: true}); err != nil && !errors.Is(err, bucket.ErrExists) {
		return "", fmt.Errorf("record that alarm %s was posted: %w", folder, err)
	}
	return PostedNow, nil
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

// message is a message about an alarm: that it was raised for the n-th time, or resolved again.
type message struct {
	n     int
	state State
}

// messages holds what a folder has of each message.
type messages map[message]struct {
	posted bool
	claims int // the number of the last claim
}

// last returns the number of the last message.
func (m messages) last() int {
	last := 0
	for message := range m {
		last = max(last, message.n)
	}
	return last
}

// messages lists the messages of a folder.
func (b *Board) messages(ctx context.Context, folder string) (messages, error) {
	listed, err := b.Objects.List(ctx, bucket.ListInput{Prefix: folder})
	if err != nil {
		return nil, fmt.Errorf("list alarm %s: %w", folder, err)
	}
	all := messages{}
	for _, object := range listed {
		_, name := split(object.Key)
		n, state, number, posted := parse(name)
		if n == 0 {
			continue
		}
		known := all[message{n, state}]
		known.posted = known.posted || posted
		known.claims = max(known.claims, number)
		all[message{n, state}] = known
	}
	return all, nil
}

func messageKey(folder string, n int, state State) string {
	return fmt.Sprintf("%s%d-%s.json", folder, n, state)
}

func claimKey(folder string, m message, number int) string {
	return fmt.Sprintf("%s%d-%s.claim-%d.json", folder, m.n, m.state, number)
}

// split returns the folder and the name of a key.
func split(key string) (folder, name string) {
	i := strings.LastIndex(key, "/") + 1
	return key[:i], key[i:]
}

// parse returns the message of an object's name, and the number of the claim if the object is one;
// posted reports whether it is the message itself. n is 0 for other names.
func parse(name string) (n int, state State, number int, posted bool) {
	parts := strings.Split(strings.TrimSuffix(name, ".json"), ".")
	count, word, _ := strings.Cut(parts[0], "-")
	n, err := strconv.Atoi(count)
	if state = State(word); err != nil || !slices.Contains([]State{Raised, Resolved}, state) {
		return 0, "", 0, false
	}
	switch len(parts) {
	case 1:
		return n, state, 0, true
	case 2:
		if number, err = strconv.Atoi(strings.TrimPrefix(parts[1], "claim-")); err == nil {
			return n, state, number, false
		}
	}
	return 0, "", 0, false
}
