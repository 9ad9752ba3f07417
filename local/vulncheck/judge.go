package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"
)

// finding is a vulnerability that concerns the module.
type finding struct {
	ID     string
	Module string // and its version
	Fixed  string // the version without it; empty if there is none
	Title  string
	Level  string // the deepest that govulncheck has seen: module, package or symbol
	Called string // the function that the code calls
}

// message is one of govulncheck's JSON output.
// https://pkg.go.dev/golang.org/x/vuln/internal/govulncheck#Message
type message struct {
	OSV *struct {
		ID      string `json:"id"`
		Summary string `json:"summary"`
	} `json:"osv"`
	Finding *struct {
		OSV   string `json:"osv"`
		Fixed string `json:"fixed_version"`
		Trace []struct{ Module, Version, Package, Function, Receiver string }
	} `json:"finding"`
}

var levels = []string{"module", "package", "symbol"}

// parse reads what govulncheck prints, and keeps the deepest finding of each vulnerability.
func parse(from io.Reader) (map[string]finding, error) {
	titles, all := map[string]string{}, map[string]finding{}
	decoder := json.NewDecoder(from)
	for {
		var m message
		switch err := decoder.Decode(&m); {
		case errors.Is(err, io.EOF):
			for id, f := range all {
				f.Title = titles[id]
				all[id] = f
			}
			return all, nil
		case err != nil:
			return nil, fmt.Errorf("its output: %w", err)
		}
		if m.OSV != nil {
			titles[m.OSV.ID] = m.OSV.Summary
		}
		if m.Finding == nil || len(m.Finding.Trace) == 0 {
			continue
		}
		place := m.Finding.Trace[0]
		f := finding{ID: m.Finding.OSV, Module: place.Module + " " + place.Version, Fixed: m.Finding.Fixed, Level: "module"}
		switch {
		case place.Function != "":
			f.Level, f.Called = "symbol", strings.TrimPrefix(place.Package+"."+strings.TrimPrefix(place.Receiver, "*")+"."+place.Function, ".")
			f.Called = strings.ReplaceAll(f.Called, "..", ".")
		case place.Package != "":
			f.Level, f.Called = "package", place.Package
		}
		if had, ok := all[f.ID]; !ok || slices.Index(levels, f.Level) > slices.Index(levels, had.Level) {
			all[f.ID] = f
		}
	}
}

// argument is why a vulnerability is accepted, and until when.
type argument struct {
	until time.Time
	why   string
}

var acceptedLine = regexp.MustCompile(`^(GO-\d{4}-\d{4,})\s+until\s+(\d{4}-\d{2}-\d{2}):\s+(\S.{19,})$`)

// readAccepted reads a line for each vulnerability: its id, the last day of the argument, and the
// argument. Empty lines, and those that begin with #, are comments.
func readAccepted(file string) (map[string]argument, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("accepted vulnerabilities: %w", err)
	}
	all := map[string]argument{}
	for i, line := range strings.Split(string(text), "\n") {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		parts := acceptedLine.FindStringSubmatch(line)
		if parts == nil {
			return nil, fmt.Errorf("%s, line %d: want <id> until <YYYY-MM-DD>: <why it does not concern us, in 20 characters or more>", file, i+1)
		}
		until, err := time.Parse(time.DateOnly, parts[2])
		if err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", file, i+1, err)
		}
		if _, twice := all[parts[1]]; twice {
			return nil, fmt.Errorf("%s, line %d: %s is there twice", file, i+1, parts[1])
		}
		all[parts[1]] = argument{until, parts[3]}
	}
	return all, nil
}

// judge prints the findings and returns an error if one of the scanned level has no argument, or one
// that has expired. Findings of a higher level, in code that is not reached, are only printed.
func judge(out io.Writer, scan string, findings map[string]finding, arguments map[string]argument, today time.Time) error {
	bad := 0
	for _, id := range slices.Sorted(maps.Keys(findings)) {
		f := findings[id]
		argued, has := arguments[id]
		verdict := "FAILS"
		switch {
		case f.Level != scan:
			verdict = "is not reached"
		case has && today.Before(argued.until.AddDate(0, 0, 1)):
			verdict = "accepted until " + argued.until.Format(time.DateOnly) + ": " + argued.why
		case has:
			verdict = "FAILS: its argument has expired on " + argued.until.Format(time.DateOnly)
		}
		if strings.HasPrefix(verdict, "FAILS") {
			bad++
		}
		fixed := "no version without it"
		if f.Fixed != "" {
			fixed = "fixed in " + f.Fixed
		}
		fmt.Fprintf(out, "%s  %s (%s): %s\n  %s %s\n", id, f.Module, fixed, f.Title, f.Called, verdict)
	}
	fmt.Fprintf(out, "%d vulnerabilities of dependencies, %d of them fail\n", len(findings), bad)
	if bad > 0 {
		return fmt.Errorf("%d vulnerabilities: raise the modules to the versions without them, or argue each in the file of accepted ones (.ci/vulnerabilities)", bad)
	}
	return nil
}
