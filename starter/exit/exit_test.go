package exit

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/internal/clients/fault"
)

func TestCode(t *testing.T) {
	t.Parallel()
	t.Run("is_that_of_the_cause", func(t *testing.T) {
		t.Parallel()
		for code, err := range map[int]error{
			Done:        nil,
			Failed:      errors.New("any"),
			Usage:       errors.Join(nil, Usagef("wrong")),
			Unreachable: fmt.Errorf("setup: %w", &fault.Error{Kind: fault.Unreachable, What: "cannot reach Kafka", Next: "start it", Err: errors.New("connection refused")}),
			7:           Shown(7),
		} {
			require.Equal(t, code, Code(err))
		}
	})

	t.Run("of_a_fault", func(t *testing.T) {
		t.Parallel()
		for kind, code := range map[fault.Kind]int{
			fault.Unreachable: Unreachable, fault.Unauthenticated: Unreachable, fault.Unauthorized: Unreachable, fault.Unset: Unreachable,
			fault.Missing: Failed, fault.Invalid: Failed, fault.Unknown: Failed,
		} {
			require.Equal(t, code, Code(fmt.Errorf("setup: %w", &fault.Error{Kind: kind, Err: errors.New("any")})), "kind %d", kind)
		}
	})
}
