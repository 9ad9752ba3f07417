package answers

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pinflow/pinflow/notebooks"
)

func TestQuestions(t *testing.T) {
	t.Run("number_the_eight_questions", func(t *testing.T) {
		var numbers []string
		for _, table := range Tables(notebooks.Answers) {
			number, _, ok := strings.Cut(table.Title, ". ")
			require.True(t, ok, table.Title)
			numbers = append(numbers, number)
		}
		require.Equal(t, []string{"1", "2", "3a", "3b", "4", "5", "6", "7", "8"}, numbers)
	})

	t.Run("say_which_year_a_column_holds", func(t *testing.T) {
		titles := map[string]string{}
		for _, table := range Tables(notebooks.Answers) {
			for _, column := range table.Columns {
				require.NotEmpty(t, column.Title)
				require.NotContains(t, column.Title, "_", "a title is for readers")
				if column.Kind == Year {
					titles[table.Name] = column.Title
				}
			}
		}
		require.Equal(t, map[string]string{
			"most_popular_category_by_year":                  "year",
			"users_joined_by_year":                           "year of joining",
			"median_followers_by_joining_year":               "year of joining",
			"median_followers_by_joining_year_and_age_group": "year of joining",
		}, titles)
	})
}
