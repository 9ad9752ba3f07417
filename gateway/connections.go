package main

import (
	"container/list"
	"context"
	"net"
	"net/http"
	"sync"
)

// connections limits the open connections. Beyond the limit, the one that has waited longest
// without the whole header of a request is closed: clients that connect and send nothing keep no
// other from its turn, and take no memory from the requests under way.
type connections struct {
	max int

	mu      sync.Mutex
	waiting *list.List                 // net.Conn, the longest wait first
	open    map[net.Conn]*list.Element // nil while a request is handled
}

func newConnections(limit int) *connections {
	return &connections{max: limit, waiting: list.New(), open: map[net.Conn]*list.Element{}}
}

type connectionKey struct{}

// context lets the handler find the connection of a request; it is an http.Server's ConnContext.
func (c *connections) context(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, connectionKey{}, conn)
}

// changed follows a connection; it is an http.Server's ConnState. http.StateActive says only that a
// first byte has come: handled notes the whole header.
func (c *connections) changed(conn net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew, http.StateIdle:
		if longest := c.wait(conn); longest != nil {
			_ = longest.Close() // its client may have disconnected
		}
	case http.StateClosed, http.StateHijacked:
		c.mu.Lock()
		defer c.mu.Unlock()
		c.leave(conn)
		delete(c.open, conn)
	}
}

// wait enters a connection as waiting, and returns the one to close, if there are too many.
func (c *connections) wait(conn net.Conn) (longest net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leave(conn)
	c.open[conn] = c.waiting.PushBack(conn)
	if len(c.open) <= c.max {
		return nil
	}
	longest = c.waiting.Front().Value.(net.Conn)
	c.leave(longest)
	delete(c.open, longest)
	return longest
}

// leave removes a connection from those that wait.
func (c *connections) leave(conn net.Conn) {
	if element := c.open[conn]; element != nil {
		c.waiting.Remove(element)
		c.open[conn] = nil
	}
}

// handled notes that connections whose request is being handled do not wait.
func (c *connections) handled(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if conn, ok := r.Context().Value(connectionKey{}).(net.Conn); ok {
			c.mu.Lock()
			c.leave(conn)
			c.mu.Unlock()
		}
		next.ServeHTTP(w, r)
	})
}
