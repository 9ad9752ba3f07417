package enginetest

import (
	"context"
	"flag"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/pinflow/pinflow/local/engine"
)

// sequences is how many random sequences a run of the tests checks, unless -rapid.checks asks for
// another number.
const sequences = 20

func TestMain(m *testing.M) {
	// Flags on the command line are parsed later, and win.
	for name, value := range map[string]string{"rapid.checks": strconv.Itoa(sequences), "rapid.seed": strconv.FormatInt(time.Now().UnixNano(), 10)} {
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

func TestSilver(t *testing.T) {
	t.Parallel()
	t.Run("is_a_function_of_what_has_landed", func(t *testing.T) {
		t.Parallel()
		t.Logf("-rapid.seed=%s gives the same sequences", flag.Lookup("rapid.seed").Value)
		rapid.Check(t, func(t *rapid.T) { onEmbedded(t, func(s System) { Silver(context.Background(), t, s, "pins") }) })
	})

	for _, example := range Examples {
		t.Run(example.Name, func(t *testing.T) {
			t.Parallel()
			onEmbedded(t, func(s System) { example.Run(t.Context(), t, s, "pins") })
		})
	}
}

// onEmbedded calls a function with a new embedded engine.
func onEmbedded(t require.TestingT, do func(System)) {
	objects := &Objects{}
	e, err := engine.Open(context.Background(), engine.Options{Objects: objects, Threads: 2})
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Close()) }()
	do(System{Engine: e, Rebuild: e, Objects: objects})
}
