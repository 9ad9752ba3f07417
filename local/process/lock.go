package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"
)

// lockPoll is how often WaitLock tries again. flock has no wait that a context could end.
const lockPoll = 10 * time.Millisecond

// Lock is a file that one process at a time holds. The kernel gives it up when the process ends, also after kill -9, so a lock is never stale.
type Lock struct{ file *os.File }

// LockedError says that another process holds a lock.
type LockedError struct {
	Path   string
	Holder string // the process id that the holder wrote into the file; empty if it has not yet
}

func (e *LockedError) Error() string {
	if e.Holder == "" {
		return e.Path + " is locked by another process"
	}
	return fmt.Sprintf("%s is locked by process %s", e.Path, e.Holder)
}

// TryLock takes the lock, or returns a LockedError at once. The file is made if it is not there, and never removed: a lock on a file that
// somebody else has removed would exclude nobody.
func TryLock(path string) (*Lock, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open the lock file: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer file.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		holder, _ := os.ReadFile(path) // only for the message
		return nil, &LockedError{Path: path, Holder: strings.TrimSpace(string(holder))}
	}
	if err := errors.Join(file.Truncate(0), write(file, fmt.Sprintln(os.Getpid()))); err != nil {
		file.Close()
		return nil, fmt.Errorf("write the lock file: %w", err)
	}
	return &Lock{file}, nil
}

// WaitLock takes the lock as soon as its holder gives it up. At the end of ctx it returns a LockedError.
func WaitLock(ctx context.Context, path string) (*Lock, error) {
	for {
		lock, err := TryLock(path)
		var locked *LockedError
		if !errors.As(err, &locked) {
			return lock, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(lockPoll):
		}
	}
}

// Unlock gives the lock up.
func (l *Lock) Unlock() { l.file.Close() }

func write(file *os.File, text string) error {
	_, err := file.WriteAt([]byte(text), 0)
	return err
}
