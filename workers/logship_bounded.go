package main

import (
	"bytes"
	"encoding/json"
	"sync"
	"time"
)

const (
	// logHead and logTail are how many bytes of the start and of the end of a long log are kept, 1
	// MiB in all. The start and the end of an attempt tell most about it.
	logHead = 256 << 10
	logTail = 768 << 10
)

// boundedLog keeps at most about 1 MiB of lines. From a longer log it removes lines in the middle,
// the oldest first, and marks the gap with a line.
type boundedLog struct {
	mu        sync.Mutex
	head      []byte
	tail      [][]byte
	tailBytes int
	full      bool // the head takes no more lines
	cut       int  // how many lines were removed
	lastCut   time.Time
	lines     int // how many lines were written
}

// Write appends one line: handlers of slog write a line at a time.
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

// drop removes the oldest line of the tail.
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

// content returns the kept lines, and how many lines were written.
func (l *boundedLog) content() ([]byte, int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	body := bytes.Clone(l.head)
	if l.cut > 0 {
		mark, err := json.Marshal(struct {
			Time  time.Time `json:"time"` // of the last removed line, so that lines sorted by time keep the mark in its place
			Level string    `json:"level"`
			Msg   string    `json:"msg"`
			Cut   int       `json:"cut_lines"`
		}{l.lastCut, "WARN", "lines were removed here: only the start and the end of a long log are kept", l.cut})
		if err == nil {
			body = append(append(body, mark...), '\n')
		}
	}
	return append(body, bytes.Join(l.tail, nil)...), l.lines
}
