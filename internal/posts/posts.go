// Package posts emulates the users of the site: it has the posts that they make, as records of three kinds, from a generator, from
// files of JSON lines or from a database, and sends them to the gateway.
package posts

import (
	"context"
	"encoding/json"
	"iter"
)

// Kinds are the kinds of records that one post leaves, a topic each: the pin, where it was made, and who made it.
var Kinds = []string{"pin", "geo", "user"}

// Line is one record on its way to the topic of its kind.
type Line struct {
	// Kind is the topic's kind: pin, geo or user. A record in the wrong topic has the kind of the topic.
	Kind string
	// Post is the number of the post, from 0, in the order in which they are made.
	Post int
	// Key is the record's index, so that the records of one post keep their order. It is empty if the record has none.
	Key string
	// Value is the record: any JSON value.
	Value json.RawMessage
	// Alone says that the record holds several posts. No key keeps it in order with all of them, so it is sent apart.
	Alone bool
	// Origin says where the line comes from, for error messages.
	Origin string
}

// Source has posts. It gives the same lines each time, as long as its fingerprint is the same.
type Source interface {
	// Name describes the source to a person.
	Name() string
	// Fingerprint is a hash of what the source is and holds.
	Fingerprint() string
	// Posts is how many posts there are; 0 means that they do not end.
	Posts() int
	// Lines are the lines of one kind in their order, from the first. An error ends them.
	Lines(ctx context.Context, kind string) iter.Seq2[Line, error]
}
