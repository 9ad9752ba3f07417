package main

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/pinflow/pinflow/internal/config"
)

// apiKey is a key that the gateway accepts. Only its SHA-256 is kept: all have the same length, so
// that a comparison does not reveal the length of a key.
type apiKey struct {
	name   string
	digest [sha256.Size]byte
	// recordsPerSecond limits the records of its client; 0 is no limit.
	recordsPerSecond int
}

// exampleKey is the key of .env.example, which everybody knows.
const exampleKey = "change-me"

// parseKeys reads the keys of PINFLOW_API_KEYS: key, or name=key. Those without a name are called by
// their place.
func parseKeys(texts []string) (keys []apiKey, err error) {
	for i, text := range texts {
		name, key := config.SplitAPIKey(text)
		if key == "" {
			continue
		}
		name = cmp.Or(name, "key-"+strconv.Itoa(i+1))
		if key == exampleKey {
			return nil, fmt.Errorf("PINFLOW_API_KEYS has the key %q of .env.example: replace it, for example by the output of `openssl rand -hex 32`", exampleKey)
		}
		keys = append(keys, apiKey{name: name, digest: sha256.Sum256([]byte(key))})
	}
	return keys, nil
}

// readKeys reads a file of keys: in each line the name of a key, its SHA-256, and if its records are
// limited, how many it may send in a second. Lines that begin with # are comments.
func readKeys(file string) (keys []apiKey, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	for i, line := range strings.Split(string(text), "\n") {
		fields := strings.Fields(line)
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		key, err := parseKeyLine(fields)
		if err != nil { // the line may have a secret
			return nil, fmt.Errorf("%s, line %d: %w; want <name> sha256:<64 hex digits> [<records a second>/s], as `gateway -new-key <name>` prints it", file, i+1, err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

func parseKeyLine(fields []string) (key apiKey, err error) {
	if len(fields) < 2 || len(fields) > 3 || !config.IsAPIKeyName(fields[0]) {
		return key, fmt.Errorf("%d fields", len(fields))
	}
	key.name = fields[0]
	digest, err := hex.DecodeString(strings.TrimPrefix(fields[1], "sha256:"))
	if err != nil || len(digest) != sha256.Size {
		return key, fmt.Errorf("the second field is no SHA-256")
	}
	copy(key.digest[:], digest)
	if len(fields) == 3 {
		limit, limited := strings.CutSuffix(fields[2], "/s")
		key.recordsPerSecond, err = strconv.Atoi(limit)
		if err != nil || !limited || key.recordsPerSecond < 1 {
			return key, fmt.Errorf("the third field is no number of records a second")
		}
	}
	return key, nil
}

// checkNames refuses keys of the same name: their metrics and limits would be one.
func checkNames(keys []apiKey) error {
	seen := map[string]bool{}
	for _, key := range keys {
		if seen[key.name] {
			return fmt.Errorf("two API keys have the name %s: give each key a name of its own", key.name)
		}
		seen[key.name] = true
	}
	return nil
}

// newKey returns a new key with its line for the file of keys.
func newKey(name string) (text string, err error) {
	if !config.IsAPIKeyName(name) {
		return "", fmt.Errorf("%q is no name of a key: use letters, digits, full stops, hyphens and underscores", name)
	}
	key := rand.Text() + rand.Text()
	return fmt.Sprintf("%s\n%s sha256:%x\n", key, name, sha256.Sum256([]byte(key))), nil
}
