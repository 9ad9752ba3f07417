package main

import (
	"encoding/csv"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pinflow/pinflow/internal/answers"
)

func (a *app) answersCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "answers [name]",
		Short: "Show the answers, or one of them",
		Long: "Answers shows what the DAG found out: all tables, or the one of that name.\n\n" +
			"-o json prints, without a name, everything in one document: rows of the cleaned tables, rejected records by topic and reason, answers.\n\n" +
			"The names:\n" + answerNames(),
		Example:           "  starter answers\n  starter answers users_joined_by_year -o csv",
		GroupID:           groupResults,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: cobra.FixedCompletions(answers.Names(), cobra.ShellCompDirectiveNoFileComp),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return a.allAnswers(c)
			}
			table, ok := answers.Lookup(args[0])
			if !ok {
				return usagef("there is no answer %q: there are %s", args[0], strings.Join(answers.Names(), ", "))
			}
			return a.answer(c, table)
		},
	}
	return prints(c, formTable, formJSON, formCSV)
}

func answerNames() string {
	var b strings.Builder
	for _, t := range answers.Tables {
		b.WriteString("  " + t.Name + "\n")
	}
	return b.String()
}

// answer shows one answer.
func (a *app) answer(c *cobra.Command, table answers.Table) error {
	ws, err := a.connect.workspace()
	if err != nil {
		return err
	}
	answer, err := ws.warehouse(a.settings).Fetch(c.Context(), table)
	if err != nil {
		return ws.databricksError(err)
	}
	switch a.form(c) {
	case formJSON:
		return a.printJSON(struct {
			Name    string   `json:"name"`
			Columns []string `json:"columns"`
			Rows    [][]any  `json:"rows"`
		}{answer.Name, answer.ColumnNames(), answer.Rows})
	case formCSV:
		return a.printCSV(answer)
	}
	a.printAnswer(answer)
	return nil
}

// allAnswers shows all answers.
func (a *app) allAnswers(c *cobra.Command) error {
	form := a.form(c)
	if form == formCSV {
		return usagef("-o csv prints one answer: name it, as in `starter answers users_joined_by_year -o csv`")
	}
	ws, err := a.connect.workspace()
	if err != nil {
		return err
	}
	if form == formJSON {
		export, err := ws.warehouse(a.settings).Export(c.Context())
		if err != nil {
			return ws.databricksError(err)
		}
		return a.printJSON(export)
	}
	all, err := ws.warehouse(a.settings).FetchAll(c.Context(), answers.Tables)
	if err != nil {
		return ws.databricksError(err)
	}
	a.printAnswers(all)
	return nil
}

// printAnswers prints answers as tables.
func (a *app) printAnswers(all []answers.Answer) {
	for i, answer := range all {
		if i > 0 {
			a.say("")
		}
		a.printAnswer(answer)
	}
}

func (a *app) printAnswer(answer answers.Answer) {
	g := grid{title: answer.Title, header: answer.ColumnNames()}
	for i, column := range answer.Columns {
		if column.Kind != answers.Text {
			g.right = append(g.right, i)
		}
	}
	for _, row := range answer.Rows {
		g.rows = append(g.rows, texts(row))
	}
	a.printGrid(g)
}

func (a *app) printCSV(answer answers.Answer) error {
	w := csv.NewWriter(a.stdout)
	if err := w.Write(answer.ColumnNames()); err != nil {
		return err
	}
	for _, row := range answer.Rows {
		if err := w.Write(texts(row)); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}

// texts writes the values of a row, a NULL as nothing.
func texts(row []any) []string {
	all := make([]string, len(row))
	for i, value := range row {
		switch v := value.(type) {
		case string:
			all[i] = v
		case int64:
			all[i] = strconv.FormatInt(v, 10)
		case float64:
			all[i] = strconv.FormatFloat(v, 'f', -1, 64)
		}
	}
	return all
}

// marshalAnswers is the document of all answers as a file: what `starter answers -o json` prints.
func marshalAnswers(export answers.Export) ([]byte, error) {
	document, err := json.MarshalIndent(export, "", "  ")
	return append(document, '\n'), err
}
