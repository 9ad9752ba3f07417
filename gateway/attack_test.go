package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// listening serves on a port of its own until the test ends.
func listening(t *testing.T, server *Server) (address string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, end := context.WithCancelCause(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, listener) }()
	t.Cleanup(func() {
		end(errors.New("the test ends it"))
		require.NoError(t, <-served)
	})
	return listener.Addr().String()
}

func dial(t *testing.T, address string) net.Conn {
	conn, err := net.Dial("tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
	return conn
}

// head is the header of a produce request.
func head(key string, length int64) string {
	return fmt.Sprintf("POST /topics/pinflow.pin HTTP/1.1\r\nHost: gateway\r\nx-api-key: %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n", key, versionedJSON, length)
}

// responseOf reads a response.
func responseOf(t *testing.T, conn net.Conn) (status int, header http.Header, body string) {
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, response.Header, string(text)
}

func requireAlive(t *testing.T, address string) {
	const small = `{"records":[{"value":1}]}`
	conn := dial(t, address)
	_, err := io.WriteString(conn, head(testKey, int64(len(small)))+small)
	require.NoError(t, err)
	status, _, body := responseOf(t, conn)
	require.Equal(t, http.StatusOK, status, body)
}

func TestConnections(t *testing.T) {
	t.Run("that_send_nothing_give_way", func(t *testing.T) {
		server := newTestServer(t, newFakeBroker("pinflow.pin"), func(o *Options) { o.Limits.Connections = 10 })
		address := listening(t, server)
		var silent []net.Conn
		for i := range 40 {
			conn := dial(t, address)
			if i%2 == 0 { // a first byte makes no request
				_, _ = io.WriteString(conn, "P")
			}
			silent = append(silent, conn)
		}
		requireAlive(t, address)
		closed := 0
		for _, conn := range silent {
			_ = conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
			if _, err := conn.Read(make([]byte, 1)); err != nil && !errors.Is(err, context.DeadlineExceeded) && !isTimeout(err) {
				closed++
			}
		}
		require.GreaterOrEqual(t, closed, 30)
	})

	t.Run("with_a_request_under_way_stay", func(t *testing.T) {
		broker := newFakeBroker("pinflow.pin")
		arrived, release := holding(broker)
		address := listening(t, newTestServer(t, broker, func(o *Options) { o.Limits.Connections = 4 }))
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() { requireAlive(t, address) })
			<-arrived
		}
		for range 20 {
			dial(t, address)
		}
		close(release)
		all.Wait()
	})
}

func isTimeout(err error) bool {
	var network net.Error
	return errors.As(err, &network) && network.Timeout()
}

func TestSlowBodies(t *testing.T) {
	t.Run("that_stall_take_no_room", func(t *testing.T) {
		server := newTestServer(t, newFakeBroker("pinflow.pin"), nil)
		address := listening(t, server)
		for range 20 { // seven would have been all the room
			conn := dial(t, address)
			_, err := io.WriteString(conn, head(testKey, server.limits.BodyBytes))
			require.NoError(t, err)
		}
		requireAlive(t, address)
	})

	t.Run("are_cut_off", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			for name, c := range map[string]struct {
				pause time.Duration // between pieces of 64 kB
				after time.Duration // until it is cut off
			}{
				"nothing at all":     {time.Minute, bodyGrace},
				"half the rate":      {2 * time.Second, 2 * bodyGrace},
				"the rate, too long": {time.Second, readTimeout},
			} {
				client, served := net.Pipe()
				r, _ := http.NewRequest(http.MethodPost, "/", nil)
				r.Body = served
				began := time.Now()
				go func() {
					for {
						time.Sleep(c.pause)
						if _, err := client.Write(make([]byte, minRate)); err != nil {
							return
						}
					}
				}()
				in := &body{reader: served, control: http.NewResponseController(deadlines{served}), began: began}
				_, err := io.Copy(io.Discard, in)
				require.True(t, isTimeout(err), "%s: %v", name, err)
				require.InDelta(t, c.after.Seconds(), time.Since(began).Seconds(), 2, name)
				require.NoError(t, client.Close())
				time.Sleep(c.pause) // until the client notices
			}
		})
	})
}

// deadlines is the response of a connection, of which only the deadline is used.
type deadlines struct{ net.Conn }

func (deadlines) Header() http.Header { return nil }
func (deadlines) WriteHeader(int)     {}

func TestUnknownLengths(t *testing.T) {
	t.Run("take_the_room_of_their_bytes", func(t *testing.T) {
		broker := newFakeBroker("pinflow.pin")
		arrived, release := holding(broker)
		server := newTestServer(t, broker, nil)
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				r := post("pinflow.pin", `{"records":[{"value":1}]}`)
				r.ContentLength = -1
				w := serve(t, server, r)
				if w.Code != http.StatusOK {
					t.Errorf("answer %d %s", w.Code, w.Body)
				}
			})
			<-arrived
		}
		close(release)
		all.Wait()
	})

	t.Run("are_limited_as_others_are", func(t *testing.T) {
		server := newTestServer(t, newFakeBroker("pinflow.pin"), func(o *Options) { o.Limits.BodyBytes = 100_000 })
		for size, status := range map[int]int{99_999: 200, 100_000: 200, 100_001: 413, 300_000: 413} {
			text := `{"records":[{"value":1}]}`
			r := post("pinflow.pin", text+strings.Repeat(" ", size-len(text)))
			r.ContentLength = -1
			require.Equal(t, status, serve(t, server, r).Code, size)
		}
	})
}

// Most clients read the response after they have written the whole body.
func TestRefusalsOfLargeBodies(t *testing.T) {
	server := newTestServer(t, newFakeBroker("pinflow.pin"), func(o *Options) { o.Limits.InFlightBytes = 1 << 20 })
	address := listening(t, server)
	for name, c := range map[string]struct {
		key    string
		length int64
		status int
	}{
		"no room":     {testKey, 10 << 20, http.StatusTooManyRequests},
		"too large":   {testKey, 30 << 20, http.StatusRequestEntityTooLarge},
		"unknown key": {"wrong", 10 << 20, http.StatusForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			conn := dial(t, address)
			_, err := io.WriteString(conn, head(c.key, c.length))
			require.NoError(t, err)
			_, err = io.Copy(conn, io.LimitReader(spaces{}, c.length))
			require.NoError(t, err)
			status, header, body := responseOf(t, conn)
			require.Equal(t, c.status, status, body)
			if status == http.StatusTooManyRequests {
				require.Equal(t, "1", header.Get("Retry-After"))
			}
		})
	}

	t.Run("a_client_that_waits_for_100_continue_sends_no_body", func(t *testing.T) {
		conn := dial(t, address)
		_, err := io.WriteString(conn, strings.Replace(head(testKey, 30<<20), "\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n", 1))
		require.NoError(t, err)
		status, _, _ := responseOf(t, conn)
		require.Equal(t, http.StatusRequestEntityTooLarge, status)
	})
}

// spaces is an endless body.
type spaces struct{}

func (spaces) Read(into []byte) (int, error) {
	for i := range into {
		into[i] = ' '
	}
	return len(into), nil
}
