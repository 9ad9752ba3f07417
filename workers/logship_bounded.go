package main

import (
	"bytes"
	"encoding/json"
	"sync"
	"time"
)

const (
	// logHead and logTail are how much of the start and of the end of a long log is kept, 1 MB in all: how an attempt began, and how it
	// ended, say most about it.
	logHead = 256 << 10
	logTail = 768 << 10
)

// boundedLog keeps lines of at most about 1 MB. Of a longer log the middle is cut, the oldest lines of it first, and a line says so.
type boundedLog struct {
	mu        sync.Mutex
	head      []byte
	tail      [][]byte
	tailBytes int
	full      bool // the head takes no more
	cut       int  // lines
	lastCut   time.Time
	lines     int // that were written
}

// Write takes one line, as slog's handlers write it.
func (l *boundedLog) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines++
	if !l.full && len(l.head)+len(line) <= logHead {
		l.head = append(l.head, line...)
		return len(line), nil
	}
	l.full = true
	l.tail = append(l.tail, bytes.Clone(line))
	l.tailBytes += len(line)
	for l.tailBytes > logTail {
		l.drop()
	}
	return len(line), nil
}

// drop cuts the oldest line of the tail.
func (l *boundedLog) drop() {
	var head struct {
		Time time.Time `json:"time"`
	}
	if json.Unmarshal(l.tail[0], &head) == nil {
		l.lastCut = head.Time
	}
	l.cut++
	l.tailBytes -= len(l.tail[0])
	l.tail[0] = nil
	l.tail = l.tail[1:]
}

// content is what is kept, and how many lines have been written so far.
func (l *boundedLog) content() ([]byte, int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	body := bytes.Clone(l.head)
	if l.cut > 0 {
		mark, err := json.Marshal(struct {
			Time  time.Time `json:"time"` // of the last line that was cut: sorted by time, the mark stands where it was
			Level string    `json:"level"`
			Msg   string    `json:"msg"`
			Cut   int       `json:"cut_lines"`
		}{l.lastCut, "WARN", "lines are missing here: of a long log the start and the end are kept", l.cut})
		if err == nil {
			body = append(append(body, mark...), '\n')
		}
	}
	return append(body, bytes.Join(l.tail, nil)...), l.lines
}
