package run

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Pause is the argument of PauseUpdate and ResumeUpdate: who pauses or resumes, and why.
type Pause struct {
	By     string `json:"by,omitempty"`
	Reason string `json:"reason"`
}

func (p Pause) String() string {
	if p.By == "" {
		return p.Reason
	}
	return p.By + ": " + p.Reason
}

// Since returns the pause as text: who paused, why, and since when.
func (p Pause) Since(at time.Time) string {
	return fmt.Sprintf("%s (%s UTC)", p, at.UTC().Format(time.DateTime))
}

// Check returns an error if the pause has no reason.
func (p Pause) Check() error {
	if strings.TrimSpace(p.Reason) == "" {
		return errors.New("a pause needs a reason for others to read")
	}
	return nil
}

// Stop is the argument of StopUpdate. The range starts no more dates; its runs finish, or are
// cancelled if Now is set.
type Stop struct {
	Pause
	Now bool `json:"now,omitempty"`
}
