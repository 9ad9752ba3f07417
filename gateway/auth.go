package main

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// apiKeyHeader is the header with the client's key, as in Amazon API Gateway.
const apiKeyHeader = "x-api-key"

// keysInterval is how often the file of keys is looked at.
const keysInterval = 5 * time.Second

// client is who sends requests with one API key.
type client struct {
	apiKey
	// room is the part of the gateway's room that its requests may take.
	room room
	// records limits its records in a second; nil if they are not limited.
	records *rate.Limiter
}

// keyRing holds the clients. Those of a file change with it.
type keyRing struct {
	fixed   []apiKey
	file    string
	limits  Limits
	log     *slog.Logger
	clients atomic.Pointer[[]*client]
	read    fileVersion
}

// fileVersion is what shows that a file has changed.
type fileVersion struct {
	changed time.Time
	size    int64
}

// newKeyRing returns the clients of the keys and of the file, if it has a name. It returns an error
// without any, because the gateway would take records from everyone.
func newKeyRing(keys []string, file string, limits Limits, log *slog.Logger) (*keyRing, error) {
	fixed, err := parseKeys(keys)
	if err != nil {
		return nil, err
	}
	ring := &keyRing{fixed: fixed, file: file, limits: limits, log: log}
	if len(fixed) == 0 && file == "" {
		return nil, errors.New("PINFLOW_API_KEYS is empty: set it to one or more keys, comma-separated, or PINFLOW_API_KEYS_FILE to a file of keys; clients send one in the header x-api-key")
	}
	return ring, ring.reload()
}

// reload reads the file, if it has changed.
func (k *keyRing) reload() error {
	all := slices.Clone(k.fixed)
	if k.file != "" {
		info, err := os.Stat(k.file)
		if err != nil {
			return err
		}
		version := fileVersion{info.ModTime(), info.Size()}
		if version == k.read {
			return nil
		}
		listed, err := readKeys(k.file)
		if err != nil {
			return err
		}
		all, k.read = append(all, listed...), version
	}
	if err := checkNames(all); err != nil {
		return err
	}
	k.replace(all)
	return nil
}

// replace makes the keys valid, and no others. Clients that stay keep what they hold.
func (k *keyRing) replace(keys []apiKey) {
	former := map[string]*client{}
	if before := k.clients.Load(); before != nil {
		for _, c := range *before {
			former[c.name] = c
		}
	}
	share := roomOf(k.limits.InFlightRequests, k.limits.InFlightBytes)
	if len(keys) > 1 { // one client that stalls must leave room for the others
		share = roomOf((k.limits.InFlightRequests+1)/2, k.limits.InFlightBytes/2)
	}
	var clients []*client
	for _, key := range keys {
		c := &client{apiKey: key, room: share.empty()}
		if key.recordsPerSecond > 0 {
			c.records = rate.NewLimiter(rate.Limit(key.recordsPerSecond), max(key.recordsPerSecond, k.limits.Records))
		}
		if old := former[key.name]; old != nil && old.room.size == c.room.size {
			c.room = old.room
			if old.recordsPerSecond == key.recordsPerSecond {
				c.records = old.records
			}
		}
		clients = append(clients, c)
	}
	k.clients.Store(&clients)
}

// watch looks at the file until the context ends. A file that is wrong changes nothing.
func (k *keyRing) watch(ctx context.Context) {
	ticks := time.NewTicker(keysInterval)
	defer ticks.Stop()
	for said := ""; k.file != ""; {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
		before := k.read
		err := k.reload()
		switch {
		case err != nil && err.Error() != said:
			said = err.Error()
			k.log.Error("the API keys stay as they were: PINFLOW_API_KEYS_FILE cannot be read", slog.String("error", said))
		case err == nil && k.read != before:
			said = ""
			k.log.Info("API keys read again", slog.Int("keys", len(*k.clients.Load())))
		}
	}
}

// of returns the client of a key, in constant time; nil if there is none.
func (k *keyRing) of(key string) (found *client) {
	digest := sha256.Sum256([]byte(key))
	for _, c := range *k.clients.Load() {
		if subtle.ConstantTimeCompare(c.digest[:], digest[:]) == 1 {
			found = c
		}
	}
	return found
}

// wait takes so many records from what the client may send, or returns when it may.
func (c *client) wait(records int) time.Duration {
	if c.records == nil {
		return 0
	}
	taken := c.records.ReserveN(time.Now(), records)
	wait := taken.Delay()
	if wait > 0 {
		taken.Cancel()
	}
	return wait
}

type clientKey struct{}

// clientOf returns the client of a request that protect has let pass.
func clientOf(r *http.Request) *client {
	c, _ := r.Context().Value(clientKey{}).(*client)
	return c
}

// protect rejects requests without a key (401) and with an unknown key (403), and closes their
// connections: each guess needs a new one.
func (k *keyRing) protect(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key := r.Header.Get(apiKeyHeader)
		if c := k.of(key); c != nil && key != "" {
			if watched, ok := w.(interface{ servedTo(name string) }); ok {
				watched.servedTo(c.name)
			}
			next(w, r.WithContext(context.WithValue(r.Context(), clientKey{}, c)))
			return
		}
		w.Header().Set("Connection", "close")
		if key == "" {
			fail(w, problem{status: http.StatusUnauthorized, message: "Missing API key: send it in the header " + apiKeyHeader + "."})
			return
		}
		fail(w, problem{status: http.StatusForbidden, message: "Unknown API key."})
	})
}
