package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// output is what govulncheck 1.6.0 prints, without what is not read.
const output = `
{"config":{"protocol_version":"v1.0.0"}}
{"progress":{"message":"Checking the code against the vulnerabilities..."}}
{"osv":{"id":"GO-2026-0001","summary":"Panic in parsing"}}
{"finding":{"osv":"GO-2026-0001","fixed_version":"v1.2.4","trace":[{"module":"example.com/m","version":"v1.2.3"}]}}
{"finding":{"osv":"GO-2026-0001","fixed_version":"v1.2.4","trace":[{"module":"example.com/m","version":"v1.2.3","package":"example.com/m/p"}]}}
{"finding":{"osv":"GO-2026-0001","fixed_version":"v1.2.4","trace":[{"module":"example.com/m","version":"v1.2.3","package":"example.com/m/p","function":"Parse","receiver":"*Decoder"},{"module":"github.com/pinflow/pinflow","package":"x","function":"main"}]}}
{"osv":{"id":"GO-2026-0002","summary":"Slow regexp"}}
{"finding":{"osv":"GO-2026-0002","trace":[{"module":"example.com/n","version":"v0.1.0","package":"example.com/n"}]}}
`

var today = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func TestJudge(t *testing.T) {
	findings, err := parse(strings.NewReader(output))
	require.NoError(t, err)
	require.Equal(t, map[string]finding{
		"GO-2026-0001": {"GO-2026-0001", "example.com/m v1.2.3", "v1.2.4", "Panic in parsing", "symbol", "example.com/m/p.Decoder.Parse"},
		"GO-2026-0002": {"GO-2026-0002", "example.com/n v0.1.0", "", "Slow regexp", "package", "example.com/n"},
	}, findings)

	for name, test := range map[string]struct {
		accepted, scan, says, fails string
	}{
		"what is called fails":           {"", "symbol", "example.com/m/p.Decoder.Parse FAILS", "1 vulnerabilities"},
		"what is not reached is printed": {"GO-2026-0001 until 2026-11-22: the text comes from this program alone", "symbol", "GO-2026-0002  example.com/n v0.1.0 (no version without it): Slow regexp\n  example.com/n is not reached", ""},
		"an argument holds on its last day": {"# why\n\nGO-2026-0001 until 2026-11-22: the text comes from this program alone", "symbol",
			"accepted until 2026-11-22: the text comes from this program alone", ""},
		"an argument expires":       {"GO-2026-0001 until 2026-11-21: the text comes from this program alone", "symbol", "FAILS: its argument has expired on 2026-11-21", "1 vulnerabilities"},
		"an argument is for one id": {"GO-2026-0009 until 2027-01-01: the text comes from this program alone", "symbol", "FAILS", "1 vulnerabilities"},
		"packages are another scan": {"", "package", "example.com/n FAILS", "1 vulnerabilities"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "accepted")
			require.NoError(t, os.WriteFile(file, []byte(test.accepted), 0o600))
			arguments, err := readAccepted(file)
			require.NoError(t, err)
			var out bytes.Buffer
			err = judge(&out, test.scan, findings, arguments, today)
			require.Contains(t, out.String(), test.says)
			if test.fails == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, test.fails)
			}
		})
	}
}

func TestReadAccepted(t *testing.T) {
	file := filepath.Join(t.TempDir(), "accepted")
	for _, line := range []string{
		"GO-2026-0001", "GO-2026-0001: it does not concern us at all", "GO-2026-0001 until 2026-11-22: later", "GO-2026-0001 until 2026-13-22: it does not concern us at all",
		"* until 2026-11-22: it does not concern us at all", "GO-2026-0001 until 2026-11-22: it does not concern us\nGO-2026-0001 until 2026-11-22: it does not concern us",
	} {
		require.NoError(t, os.WriteFile(file, []byte(line), 0o600))
		_, err := readAccepted(file)
		require.Error(t, err, line)
	}
	_, err := readAccepted("../../.ci/vulnerabilities")
	require.NoError(t, err)
}

func TestCheck(t *testing.T) {
	t.Run("says_that_the_database_cannot_be_reached", func(t *testing.T) {
		down := httptest.NewServer(http.NotFoundHandler())
		defer down.Close()
		for _, database := range []string{down.URL, "http://127.0.0.1:1", "file:///nothing"} {
			err := options{accepted: "../../.ci/vulnerabilities", database: database}.check(t.Context(), os.Stdout)
			require.ErrorAs(t, err, new(*unreachableError))
			require.ErrorContains(t, err, database)
		}
	})

	// A program that fails has checked nothing, whatever it has printed.
	t.Run("a_program_that_fails_is_an_error", func(t *testing.T) {
		program := filepath.Join(t.TempDir(), "govulncheck")
		require.NoError(t, os.WriteFile(program, []byte("#!/bin/sh\necho '{}'; echo 'no packages' >&2; exit 1\n"), 0o700)) //nolint:gosec // a program
		err := options{program: program, accepted: "../../.ci/vulnerabilities", scan: "symbol", database: "file://" + t.TempDir()}.check(t.Context(), os.Stdout)
		require.ErrorContains(t, err, "no packages")
		require.NotErrorAs(t, err, new(*unreachableError))
	})
}
