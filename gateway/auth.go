package main

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/http"
	"slices"
	"strings"
)

// apiKeyHeader is the header with the client's key, as in Amazon API Gateway.
const apiKeyHeader = "x-api-key"

// apiKeys holds the SHA-256 of each valid key: all have the same length, so that a comparison does
// not reveal the length of a key.
type apiKeys [][sha256.Size]byte

func newAPIKeys(keys []string) (apiKeys, error) {
	var digests apiKeys
	for _, key := range keys {
		if key = strings.TrimSpace(key); key != "" {
			digests = append(digests, sha256.Sum256([]byte(key)))
		}
	}
	if len(digests) == 0 {
		return nil, errors.New("PINFLOW_API_KEYS is empty: set it to one or more keys, comma-separated; clients send one in the header x-api-key")
	}
	return slices.Clip(digests), nil
}

// accept reports whether the key is valid, in constant time.
func (a apiKeys) accept(key string) bool {
	digest := sha256.Sum256([]byte(key))
	found := 0
	for i := range a {
		found |= subtle.ConstantTimeCompare(a[i][:], digest[:])
	}
	return found == 1
}

// protect rejects requests without a key (401) and with an unknown key (403).
func (a apiKeys) protect(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch key := r.Header.Get(apiKeyHeader); {
		case key == "":
			fail(w, problem{status: http.StatusUnauthorized, message: "Missing API key: send it in the header " + apiKeyHeader + "."})
		case !a.accept(key):
			fail(w, problem{status: http.StatusForbidden, message: "Unknown API key."})
		default:
			next(w, r)
		}
	})
}
