package search

import (
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
)

func TestAttributes(t *testing.T) {
	t.Run("have_their_types", func(t *testing.T) {
		require.Equal(t, []Attribute{
			{"PinflowDag", enumspb.INDEXED_VALUE_TYPE_KEYWORD}, {"PinflowDate", enumspb.INDEXED_VALUE_TYPE_DATETIME}, {"PinflowState", enumspb.INDEXED_VALUE_TYPE_KEYWORD},
			{"PinflowTrigger", enumspb.INDEXED_VALUE_TYPE_KEYWORD}, {"PinflowPartial", enumspb.INDEXED_VALUE_TYPE_BOOL}, {"PinflowWarned", enumspb.INDEXED_VALUE_TYPE_BOOL},
			{"PinflowTags", enumspb.INDEXED_VALUE_TYPE_KEYWORD_LIST},
		}, Attributes())
	})
}
