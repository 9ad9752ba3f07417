package main

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"
)

const (
	// firstBytes is reserved for a body before it arrives, if it is not smaller. The reservation
	// grows with the body: one that never comes takes no room.
	firstBytes = 16 << 10
	// bodyGrace is how long a body may take besides its bytes at minRate, in bytes a second.
	bodyGrace = 5 * time.Second
	minRate   = 64 << 10
	// drained is how many bytes of a refused body are read and dropped, so that a client that reads
	// only after it has written everything, as most do, gets the response and not a broken pipe.
	drained = 64 << 20
	// drainedByServer is what Go's server reads of a body that its handler left.
	drainedByServer = 256 << 10
)

// body reads the body of a request within the time that its bytes may take.
type body struct {
	reader  io.Reader
	control *http.ResponseController
	began   time.Time
	read    int64
}

func newBody(w http.ResponseWriter, r *http.Request) *body {
	return &body{reader: r.Body, control: http.NewResponseController(w), began: time.Now()}
}

// Read returns os.ErrDeadlineExceeded if the body is slower than minRate, or takes more than
// readTimeout.
func (b *body) Read(into []byte) (int, error) {
	allowed := min(readTimeout, bodyGrace+time.Duration(b.read)*time.Second/minRate)
	_ = b.control.SetReadDeadline(b.began.Add(allowed)) // a test's response has no connection
	n, err := b.reader.Read(into)
	b.read += int64(n)
	return n, err
}

// end lifts the limit. The next one is that of the next request.
func (b *body) end() { _ = b.control.SetReadDeadline(time.Time{}) }

// readBody reads the body of a request. It reserves room for what arrives.
func (s *Server) readBody(w http.ResponseWriter, r *http.Request, held *reservation) ([]byte, error) {
	in := newBody(w, r)
	defer in.end()
	limit := s.limits.BodyBytes + 1 // one more shows that the body is too large
	if r.ContentLength >= 0 {
		limit = r.ContentLength
	}
	text := make([]byte, 0, min(limit, firstBytes))
	for int64(len(text)) < limit {
		if len(text) == cap(text) {
			room := min(2*int64(cap(text)), limit)
			if !held.grow(room - int64(cap(text))) {
				return nil, errNoRoom
			}
			text = append(make([]byte, 0, room), text...)
		}
		n, err := in.Read(text[len(text):cap(text)])
		text = text[:len(text)+n]
		switch {
		case errors.Is(err, io.EOF) && (r.ContentLength < 0 || int64(len(text)) == limit):
			return text, nil
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil, problem{status: http.StatusRequestTimeout, message: "The body took too long to arrive."}
		case err != nil:
			return nil, problem{status: http.StatusBadRequest, message: "Cannot read the body: " + err.Error()}
		}
	}
	if r.ContentLength < 0 {
		return nil, s.tooLarge()
	}
	return text, nil
}

// drain reads what a handler has left of a body, after its response, and drops it.
func drain(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength >= 0 && r.ContentLength <= drainedByServer || r.Header.Get("Expect") != "" {
			next.ServeHTTP(w, r) // a client that expects 100 Continue has not begun to write
			return
		}
		control := http.NewResponseController(w)
		_ = control.EnableFullDuplex() // a test's response has none
		next.ServeHTTP(w, r)
		_ = control.Flush()
		in := newBody(w, r)
		_, _ = io.Copy(io.Discard, io.LimitReader(in, drained)) // the client may have disconnected
		in.end()
	})
}
