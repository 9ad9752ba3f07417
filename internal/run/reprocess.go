package run

import "fmt"

// Reprocess says which dates of a range run again if they have run before. A date that was seen
// only in part runs again in any case.
type Reprocess string

// Airflow's reprocess behaviors.
const (
	// ReprocessNone runs only dates that have never run.
	ReprocessNone Reprocess = "none"
	// ReprocessFailed also runs failed dates again.
	ReprocessFailed Reprocess = "failed"
	// ReprocessAll runs all dates again.
	ReprocessAll Reprocess = "all"
)

// ParseReprocess parses a reprocess behavior. Empty text is ReprocessNone.
func ParseReprocess(text string) (Reprocess, error) {
	switch r := Reprocess(text); r {
	case "":
		return ReprocessNone, nil
	case ReprocessNone, ReprocessFailed, ReprocessAll:
		return r, nil
	}
	return "", fmt.Errorf("reprocess %q: want %s, %s or %s", text, ReprocessNone, ReprocessFailed, ReprocessAll)
}
