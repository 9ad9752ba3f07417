package exit

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/clients/fault"
)

func TestExitCode_IsThatOfTheCause(t *testing.T) {
	for code, err := range map[int]error{
		Done:        nil,
		Failed:      errors.New("any"),
		Usage:       errors.Join(nil, Usagef("wrong")),
		Unreachable: fmt.Errorf("setup: %w", &fault.Error{Kind: fault.Unreachable, What: "cannot reach Kafka", Next: "start it", Err: errors.New("connection refused")}),
		7:           Shown(7),
	} {
		require.Equal(t, code, Code(err))
	}
}
