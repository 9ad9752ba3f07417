// Package fault classifies the errors of other systems by what a caller can do about them. Each
// client has a function Classify, which turns the errors that it knows into an Error and returns
// all others unchanged.
package fault

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
)

// Kind is the kind of a fault: what a caller can do about it.
type Kind int

// The kinds of faults.
const (
	// Unknown is an error that Classify does not know, for example one of the caller's own.
	Unknown Kind = iota
	// Unreachable is a system that did not answer, or that could not serve the request at the
	// moment. A retry may succeed.
	Unreachable
	// Unauthenticated is a system that rejected the credentials.
	Unauthenticated
	// Unauthorized is a system that denied permission.
	Unauthorized
	// Unset is a missing setting: the address of the system, or the credentials.
	Unset
	// Missing is something that setup creates and that does not exist: a topic, a bucket, a
	// notebook.
	Missing
	// Invalid is a request, or a record, that the system will never accept.
	Invalid
)

// Error is a classified error of a system.
type Error struct {
	Kind Kind
	// What is what happened, as in "cannot reach Kafka at 127.0.0.1:9092".
	What string
	// Next is what the reader can do, as in "set PINFLOW_KAFKA_BROKERS".
	Next string
	// Err is the error of the system.
	Err error
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %s (%v)", e.What, e.Next, e.Err) }

// Unwrap returns the error of the system.
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of a classified error; Unknown for any other.
func KindOf(err error) Kind {
	var classified *Error
	if errors.As(err, &classified) {
		return classified.Kind
	}
	return Unknown
}

// Unusable reports whether the error is of a system that cannot be used from here: it cannot be
// reached, rejects the caller, or is not configured.
func Unusable(err error) bool {
	switch KindOf(err) {
	case Unreachable, Unauthenticated, Unauthorized, Unset:
		return true
	}
	return false
}

// NoAnswer reports whether a request was sent over HTTP and no answer came.
func NoAnswer(err error) bool {
	var network net.Error
	var request *url.Error
	return errors.As(err, &network) || errors.As(err, &request) || errors.Is(err, context.DeadlineExceeded)
}
