package main

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/clients/fault"
)

var lost = &url.Error{Op: "Post", URL: "http://127.0.0.1:1/x", Err: &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}}

func TestExitCode_IsThatOfTheCause(t *testing.T) {
	for code, err := range map[int]error{
		exitDone:        nil,
		exitFailed:      errors.New("any"),
		exitUsage:       errors.Join(nil, usagef("wrong")),
		exitUnreachable: fmt.Errorf("setup: %w", &fault.Error{Kind: fault.Unreachable, What: "cannot reach Kafka", Next: "start it", Err: errors.New("connection refused")}),
		7:               errShown{7},
	} {
		require.Equal(t, code, exitCode(err))
	}
}
