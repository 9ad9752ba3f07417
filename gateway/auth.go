package main

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/http"
	"slices"
	"strings"
)

// apiKeyHeader is where clients put their key, as Amazon API Gateway has it.
const apiKeyHeader = "x-api-key"

// apiKeys are the keys that are accepted, as their SHA-256: of one length, so that comparing them tells nothing about theirs.
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

// accept says whether the key is one of those. It takes as long for a wrong key as for a right one.
func (a apiKeys) accept(key string) bool {
	digest := sha256.Sum256([]byte(key))
	found := 0
	for i := range a {
		found |= subtle.ConstantTimeCompare(a[i][:], digest[:])
	}
	return found == 1
}

// protect lets requests with a key through. Without one they are told to bring one (401), with a wrong one to go away (403).
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
