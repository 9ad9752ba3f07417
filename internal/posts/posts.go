// Package posts emulates the users of the site. It takes posts, as records of three kinds, from a
// generator, from files of JSON lines or from a database, and sends them to the gateway.
package posts

import (
	"context"
	"encoding/json"
	"iter"
)

// Kinds holds the kinds of the records of a post, each with its topic: the pin, its place and time,
// and its user.
var Kinds = []string{"pin", "geo", "user"}

// Line is one record for the topic of its kind.
type Line struct {
	// Kind is the topic's kind: pin, geo or user. A record in the wrong topic has the kind of the
	// topic.
	Kind string
	// Post is the number of the post, from 0.
	Post int
	// Key is the index in the record, so that the records of one post keep their order; empty if it
	// has none.
	Key string
	// Value is the record: any JSON value.
	Value json.RawMessage
	// Alone reports whether the record holds several posts. No key keeps it in order with all of
	// them, so that it is sent alone.
	Alone bool
	// Origin is where the line comes from, for error messages.
	Origin string
}

// Source is a source of posts. It returns the same lines as long as its fingerprint is the same.
type Source interface {
	// Name describes the source to the user.
	Name() string
	// Fingerprint is a hash of the source and its content.
	Fingerprint() string
	// Posts is the number of posts; 0 is no end.
	Posts() int
	// Lines returns the lines of one kind in order. An error ends them.
	Lines(ctx context.Context, kind string) iter.Seq2[Line, error]
}
