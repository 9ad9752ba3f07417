package answers

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/notebooks"
)

func TestTables(t *testing.T) {
	t.Run("have_a_title_for_each_answer_of_the_notebook", func(t *testing.T) {
		require.Equal(t, known, Tables(notebooks.Answers))
	})
}
