package e2e

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// defaultPorts are those to which a stack, its worker and its gateway add their offset.
var defaultPorts = []int{7233, 8233, 9092, 9000, 4567, 8090, 8082, 9464}

// offsets hands out port offsets. What it has given it never gives again: a port that is free now
// is not, once the system that it was given to has started or starts again.
var offsets = offsetBook{next: 1000 + os.Getpid()%1000*7, given: map[int]bool{}}

type offsetBook struct {
	mu    sync.Mutex
	next  int
	given map[int]bool // the ports, not the offsets: two offsets may lead to the same port
}

// highestOffset keeps all ports below 32768, from where Linux gives ports to whoever asks for any.
const highestOffset = 32767 - 9464

// take returns an offset at which all default ports are free, and reserved for the caller.
func (b *offsetBook) take() (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for ; b.next <= highestOffset; b.next += 97 {
		if b.free(b.next) {
			for _, port := range defaultPorts {
				b.given[port+b.next] = true
			}
			return strconv.Itoa(b.next), nil
		}
	}
	return "", fmt.Errorf("no offset up to %d at which the ports %v are free", highestOffset, defaultPorts)
}

func (b *offsetBook) free(offset int) bool {
	for _, port := range defaultPorts {
		if b.given[port+offset] {
			return false
		}
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port+offset))
		if err != nil {
			return false
		}
		l.Close()
	}
	return true
}

// freeOffset is an offset for this test alone.
func freeOffset(t *testing.T) string {
	t.Helper()
	offset, err := offsets.take()
	require.NoError(t, err)
	return offset
}

// port is where the program with this default port listens at the offset.
func port(t *testing.T, base int, offset string) string {
	t.Helper()
	n, err := strconv.Atoi(offset)
	require.NoError(t, err)
	return strconv.Itoa(base + n)
}
