package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// StackFile is the settings file of an embedded stack, in its data directory. It exists while the
// stack runs.
const StackFile = "stack.env"

// StackVariable names the variable with the data directory of the embedded stack that operators
// use.
const StackVariable = "PINFLOW_STACK"

// LoadOperator reads the settings like Load. In addition it finds the embedded stack that
// PINFLOW_STACK names, whose settings come before those of .env, or, if nothing else is set, the
// one that was started last on this machine.
func LoadOperator(files ...string) (Config, error) {
	stack, err := findStack(len(files) > 0)
	if err != nil {
		return Config{}, err
	}
	if stack == "" {
		return Load(files...)
	}
	settings := []string{".env", filepath.Join(stack, StackFile)}
	if os.Getenv(StackVariable) != "" {
		slices.Reverse(settings)
	}
	c, err := Load(append(files, existing(settings...)...)...)
	if err != nil {
		return Config{}, err
	}
	uses, err := usesStack(stack)
	if err != nil || !uses {
		return c, err
	}
	c.Stack, c.Kafka = stack, Kafka{Protocol: Plaintext} // the stack's Kafka knows no others
	return c, UseCredentials(stack)
}

// findStack returns the data directory of the embedded stack to use, or "" if there is none.
func findStack(filesNamed bool) (string, error) {
	if filesNamed {
		return "", nil
	}
	if dir := os.Getenv(StackVariable); dir != "" {
		if _, err := os.Stat(filepath.Join(dir, StackFile)); err != nil {
			return "", fmt.Errorf("%s=%s: no embedded stack runs there (%w)", StackVariable, dir, err)
		}
		return dir, nil
	}
	switch {
	case len(existing(filepath.Join(defaultStack, StackFile))) > 0:
		return defaultStack, nil
	case len(existing(".env")) > 0, anySet():
		return "", nil
	}
	return runningStack(), nil
}

// addresses names the variables that select systems. A user who sets one of them does not mean a
// stack on this machine.
var addresses = []string{
	"TEMPORAL_ADDRESS", "TEMPORAL_CONFIG_FILE", "TEMPORAL_PROFILE", "DATABRICKS_HOST", "DATABRICKS_CONFIG_PROFILE",
	"PINFLOW_KAFKA_BROKERS", "PINFLOW_BUCKET", "AWS_ENDPOINT_URL_S3",
}

// anySet reports whether the environment selects systems.
func anySet() bool {
	return slices.ContainsFunc(addresses, func(name string) bool { return os.Getenv(name) != "" })
}

// usesStack reports whether the address of Temporal in effect is that of the stack: a variable or
// .env may have another one.
func usesStack(dir string) (bool, error) {
	settings, err := readFile(filepath.Join(dir, StackFile))
	return settings["TEMPORAL_ADDRESS"] == os.Getenv("TEMPORAL_ADDRESS"), err
}

// UseCredentials replaces the credentials of AWS and Databricks in the environment by those of the
// stack. Operators often export the ones of their account: the stack would reject them, and they do
// not belong there.
func UseCredentials(dir string) error {
	settings, err := readFile(filepath.Join(dir, StackFile))
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range []string{"AWS_SESSION_TOKEN", "AWS_PROFILE"} {
		errs = append(errs, os.Unsetenv(name))
	}
	for name, value := range settings {
		if strings.HasPrefix(name, "AWS_") || strings.HasPrefix(name, "DATABRICKS_") {
			errs = append(errs, os.Setenv(name, value))
		}
	}
	return errors.Join(errs...)
}

// existing returns those of the files that exist.
func existing(files ...string) []string {
	var there []string
	for _, file := range files {
		if _, err := os.Stat(file); err == nil {
			there = append(there, file)
		}
	}
	return there
}

// statePath returns the file in the user's state directory that names the running stack. See the
// XDG Base Directory Specification.
func statePath() (string, error) {
	dir := os.Getenv("XDG_STATE_HOME")
	if dir == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", err
		}
		dir = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(dir, "pinflow", "stack"), nil
}

// runningStack returns the data directory of the stack that was started last, or "" if none runs.
func runningStack() string {
	path, err := statePath()
	if err != nil {
		return ""
	}
	text, err := os.ReadFile(path)
	dir := strings.TrimSpace(string(text))
	if err != nil || len(existing(filepath.Join(dir, StackFile))) == 0 || !locked(dir) {
		return ""
	}
	return dir
}

// StackLock is the file in the data directory that a running stack locks. The kernel releases the lock
// of a stack that was killed, which leaves its settings and its announcement.
const StackLock = "stack.lock"

// locked reports whether a stack runs on the data directory.
func locked(dir string) bool {
	file, err := os.Open(filepath.Join(dir, StackLock))
	if err != nil {
		return false
	}
	defer file.Close()
	return syscall.Flock(int(file.Fd()), syscall.LOCK_SH|syscall.LOCK_NB) != nil
}

// AnnounceStack makes a stack the one that LoadOperator finds from any directory. The function that
// it returns takes that back, unless another stack was announced since.
func AnnounceStack(dir string) (withdraw func() error, err error) {
	path, err := statePath()
	if err != nil {
		return nil, err
	}
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	if err := os.WriteFile(path, []byte(absolute+"\n"), 0o600); err != nil {
		return nil, err
	}
	return func() error {
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) || err == nil && strings.TrimSpace(string(text)) != absolute {
			return nil
		}
		if err != nil {
			return err
		}
		return os.Remove(path)
	}, nil
}

// Default ports of the programs that are not part of the stack.
const (
	GatewayPort = 8082
	WorkerPort  = 9464
)

// CheckPortOffset returns an error for an offset that does not leave all default ports valid:
// WorkerPort is the highest of them.
func CheckPortOffset(offset int) error {
	if highest := 65535 - WorkerPort; offset < 0 || offset > highest {
		return fmt.Errorf("%d: want 0 to %d", offset, highest)
	}
	return nil
}
