package stack

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/joho/godotenv"

	"github.com/pinflow/pinflow/internal/config"
)

// secretsFile has the secrets of a stack, in its data directory. They outlive the stack, so that
// workers and gateways go on when it is started again.
const secretsFile = "secrets.env"

// secrets are random: every page of the Web and every user of the machine can know fixed ones.
type secrets struct {
	token     string // of the workspace
	secretKey string // of S3 and Kinesis
	apiKey    string // of the gateway
}

// variables are the names of the secrets in the file, which are those of .env.example.
func (s *secrets) variables() map[string]*string {
	return map[string]*string{"DATABRICKS_TOKEN": &s.token, "AWS_SECRET_ACCESS_KEY": &s.secretKey, "PINFLOW_API_KEYS": &s.apiKey}
}

// loadSecrets returns the secrets of the data directory, and makes those that it does not have.
func loadSecrets(data string) (secrets, error) {
	file := filepath.Join(data, secretsFile)
	known, err := godotenv.Read(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return secrets{}, fmt.Errorf("the secrets of the stack cannot be read: delete %s, start the stack, and restart workers and gateways", file)
	}
	made := secrets{
		token:     "dapi" + randomText(16), // the form of Databricks' personal access tokens
		secretKey: randomText(20),
		apiKey:    randomText(16),
	}
	text := "# Made by the embedded stack for itself. Delete the file for new ones.\n"
	variables := made.variables()
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		if known[name] != "" {
			*variables[name] = known[name]
		}
		text += name + "=" + *variables[name] + "\n"
	}
	return made, writePrivate(file, text)
}

func randomText(bytes int) string {
	random := make([]byte, bytes)
	_, _ = rand.Read(random) // it never fails: crypto/rand
	return hex.EncodeToString(random)
}

// writePrivate writes a file that only the user reads. It appears as a whole.
func writePrivate(file, text string) error {
	if err := os.Remove(file + ".new"); err != nil && !errors.Is(err, fs.ErrNotExist) { // its mode would remain
		return err
	}
	if err := os.WriteFile(file+".new", []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}

// parts are the directories of the state.
var parts = []string{"temporal", "kafka", "s3", "kinesis", "workspace", "logs"}

// makePrivate makes the directories of the state, and closes those of an older stack to other users.
// The data directory itself may have been there before, and hold other files: then its mode remains.
func makePrivate(data string) error {
	_, err := os.Stat(filepath.Join(data, config.StackLock))
	used := err == nil
	if err := os.MkdirAll(data, 0o700); err != nil {
		return err
	}
	dirs := slices.Clone(parts)
	if used {
		dirs = append(dirs, ".")
	}
	for _, dir := range dirs {
		dir = filepath.Join(data, dir)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		if err := os.Chmod(dir, 0o700); err != nil {
			return err
		}
	}
	return nil
}
