package run

import "time"

// Pace is how fast the runs of a range end. It is measured from one end to the next: how long a run
// takes says little, because a run of a wide range mostly waits for the slots of pools.
type Pace struct {
	// Each is the time from one end to the next, on average; 0 if no run has ended.
	Each time.Duration `json:"each,omitempty"`
	// From is when the measurement started, and Ends counts the runs that have ended since.
	From time.Time `json:"from"`
	Ends int       `json:"ends,omitempty"`
	// Settling is how many runs have to end before the next measurement starts: those that were
	// running when the width of the range changed. Each keeps its value until then.
	Settling int `json:"settling,omitempty"`
	// Settled reports whether Each is from a range at its full width. Before, it includes the time
	// until the first runs ended, and is too long rather than too short.
	Settled bool `json:"settled,omitempty"`
}

// NewPace returns the pace of a range that starts, so many dates at a time.
func NewPace(now time.Time, width int) Pace { return Pace{From: now, Settling: width} }

// RunEnded measures the end of a run of a range with that width.
func (p *Pace) RunEnded(now time.Time, width int) {
	p.Ends++
	if !p.Settled || p.Settling == 0 && p.Ends >= width { // fewer may have ended at almost the same time
		p.Each = now.Sub(p.From) / time.Duration(p.Ends)
	}
	if p.Settling > 0 {
		if p.Settling--; p.Settling == 0 {
			p.Settled, p.From, p.Ends = true, now, 0
		}
	}
}

// Changed starts a new measurement, after the width changed or a pause ended with that many runs
// running.
func (p *Pace) Changed(now time.Time, running int) {
	p.From, p.Ends, p.Settling = now, 0, running
	p.Settled = p.Each > 0
}
