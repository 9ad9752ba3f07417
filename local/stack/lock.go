package stack

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/pinflow/pinflow/internal/config"
)

// InUseError is the error of a directory that another stack uses.
type InUseError struct{ Dir, PID string }

func (e *InUseError) Error() string {
	return fmt.Sprintf("another stack (process %s) runs on the data directory %s: end it, or choose another directory with --data (DATA=dir of make)", e.PID, e.Dir)
}

// lock locks the directory against other stacks. The kernel releases the lock when the process
// ends.
func lock(dir string) (*os.File, error) {
	file, err := os.OpenFile(filepath.Join(dir, config.StackLock), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer file.Close()
		pid, _ := os.ReadFile(file.Name()) // only for the message
		return nil, &InUseError{Dir: dir, PID: strings.TrimSpace(string(pid))}
	}
	if err := file.Truncate(0); err != nil {
		return nil, err
	}
	_, err = file.WriteAt([]byte(strconv.Itoa(os.Getpid())), 0)
	return file, err
}
