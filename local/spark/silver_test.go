//go:build conformance

package spark_test

import (
	"context"
	"flag"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/pinflow/pinflow/local/enginetest"
)

// The property of [enginetest.Silver]: silver, quarantine and gold are a function of what has landed,
// on Spark as in the workspace. A sequence takes minutes: one is checked, unless -rapid.checks asks
// for more.
func TestSilver(t *testing.T) {
	system := enginetest.System{Engine: onSpark, Objects: objects}
	for i, example := range enginetest.Examples {
		t.Run(example.Name, func(t *testing.T) {
			example.Run(t.Context(), t, system, fmt.Sprintf("example_%d", i))
		})
	}
	t.Run("is_a_function_of_what_has_landed", func(t *testing.T) {
		checks := flag.Lookup("rapid.checks")
		if checks.Value.String() == checks.DefValue {
			require.NoError(t, checks.Value.Set("1"))
		}
		var schemas int
		rapid.Check(t, func(t *rapid.T) {
			schemas++
			enginetest.Silver(context.Background(), t, system, fmt.Sprintf("silver_%d", schemas))
		})
	})
}
