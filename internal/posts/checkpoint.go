package posts

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// checkpoint keeps in a file how many lines of each kind the gateway has acknowledged. The name of
// the file depends on the source, its content and the gateway: with another one of them an
// emulation starts from the beginning.
type checkpoint struct {
	path string

	mu    sync.Mutex
	state checkpointState
}

// checkpointState is the content of the file.
type checkpointState struct {
	Source string         `json:"source"`
	URL    string         `json:"url"`
	Topic  string         `json:"topic"`
	Acked  map[string]int `json:"acked"` // lines by kind
}

// openCheckpoint reads the checkpoint of an emulation to resume, or starts a new one.
func openCheckpoint(in EmitInput) (*checkpoint, error) {
	c := &checkpoint{state: checkpointState{Source: in.Source.Name(), URL: in.URL, Topic: in.Topic("*"), Acked: map[string]int{}}}
	if in.Checkpoints == "" {
		return c, nil
	}
	identity := sha256.Sum256([]byte(in.Source.Fingerprint() + "\n" + in.URL + "\n" + in.Topic("*")))
	c.path = filepath.Join(in.Checkpoints, "emulate-"+hex.EncodeToString(identity[:8])+".json")
	if err := os.MkdirAll(in.Checkpoints, 0o755); err != nil {
		return nil, fmt.Errorf("directory of the checkpoints: %w", err)
	}
	if !in.Resume {
		return c, c.write()
	}
	content, err := os.ReadFile(c.path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, c.write()
	}
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	if err := json.Unmarshal(content, &c.state); err != nil {
		return nil, fmt.Errorf("cannot decode checkpoint %s: delete it to start with the first post: %w", c.path, err)
	}
	if c.state.Acked == nil {
		c.state.Acked = map[string]int{}
	}
	return c, nil
}

func (c *checkpoint) acked(kind string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state.Acked[kind]
}

// add counts lines that the gateway has acknowledged.
func (c *checkpoint) add(kind string, lines int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state.Acked[kind] += lines
	return c.write()
}

// write replaces the file atomically, so that a killed process leaves the old or the new one.
func (c *checkpoint) write() error {
	if c.path == "" {
		return nil
	}
	content, err := json.Marshal(c.state)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	if err := os.WriteFile(c.path+".new", content, 0o644); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	if err := os.Rename(c.path+".new", c.path); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	return nil
}
