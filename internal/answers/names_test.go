package answers

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/notebooks"
)

func TestTables_HaveATitleForEachAnswerOfTheNotebook(t *testing.T) {
	require.Equal(t, known, Tables(notebooks.Answers))
}
