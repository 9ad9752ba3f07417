package run

import (
	"fmt"
	"strconv"
	"strings"
)

// OnFailure is what a range does when dates fail: "continue", "stop", or "max=N" to stop after N
// failures.
type OnFailure string

const (
	// ContinueOnFailure runs all dates, whatever fails.
	ContinueOnFailure OnFailure = "continue"
	// StopOnFailure starts no more dates after the first failure.
	StopOnFailure OnFailure = "stop"
)

// ParseOnFailure parses what to do on failure. Empty text is ContinueOnFailure.
func ParseOnFailure(text string) (OnFailure, error) {
	switch f := OnFailure(text); f {
	case "":
		return ContinueOnFailure, nil
	case ContinueOnFailure, StopOnFailure:
		return f, nil
	}
	if number, ok := strings.CutPrefix(text, "max="); ok {
		if n, err := strconv.Atoi(number); err == nil && n > 0 {
			return OnFailure(text), nil
		}
	}
	return "", fmt.Errorf("on-failure %q: want %s, %s or max=N with N of 1 or more", text, ContinueOnFailure, StopOnFailure)
}

// Limit returns how many failures stop the range; 0 is no limit.
func (f OnFailure) Limit() int {
	if f == StopOnFailure {
		return 1
	}
	n, _ := strconv.Atoi(strings.TrimPrefix(string(f), "max=")) // "continue" has no number: no limit
	return n
}
