package alarm

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pinflow/pinflow/internal/bucket"
)

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

// messageOf returns what the keys of a message and of its claims begin with, before a full stop.
func messageOf(folder string, n int, state State) string {
	return fmt.Sprintf("%s%d-%s", folder, n, state)
}

func messageKey(folder string, n int, state State) string {
	return messageOf(folder, n, state) + ".json"
}

func claimKey(folder string, m message, number int) string {
	return fmt.Sprintf("%s.claim-%d.json", messageOf(folder, m.n, m.state), number)
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
