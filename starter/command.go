package main

import (
	"github.com/spf13/cobra"

	"github.com/pinflow/pinflow/internal/clients/temporal"
	"github.com/pinflow/pinflow/starter/cli"
	"github.com/pinflow/pinflow/starter/exit"
)

// Output formats, as -o names them.
const (
	formTable = "table"
	formText  = "text"
	formWide  = "wide" // a table with all columns, as in kubectl
	formJSON  = "json"
	formCSV   = "csv"
	formHTML  = "html"
)

// prints declares the output formats of a command; the first is the default.
func prints(c *cobra.Command, forms ...string) *cobra.Command {
	return cli.Prints(c, forms...)
}

// form returns the output format that was asked for, or the command's default.
func (a *app) form(c *cobra.Command) string {
	if a.output != "" {
		return a.output
	}
	if forms := cli.Forms(c); len(forms) > 0 {
		return forms[0]
	}
	return ""
}

// print prints a value as JSON if that was asked for, and for the reader otherwise.
func (a *app) print(c *cobra.Command, value any, forReader func()) error {
	if a.form(c) == formJSON {
		return a.JSON(value)
	}
	forReader()
	return nil
}

// shown returns the end of a view: what could not be read is reported after what was shown, and
// makes the exit code 3.
func (a *app) shown(err, lost error) error {
	if err != nil || lost == nil {
		return err
	}
	if a.output == formJSON {
		return &exit.PartError{Lost: lost}
	}
	a.Log("\nNot everything is known: %v", lost)
	return exit.Shown(exit.Unreachable)
}

// connected returns a command's function that gets a connection to Temporal.
func (a *app) connected(do func(c *cobra.Command, conn *temporal.Connection, args []string) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		conn, err := a.systems.Temporal(c.Context())
		if err != nil {
			return err
		}
		defer conn.Close()
		return do(c, conn, args)
	}
}

// missingDate returns the error of a command that was called without its date.
func (a *app) missingDate(command string) error {
	return exit.Usagef("name a date as YYYY-MM-DD, today or yesterday, for example `%s`", a.history.Command(command+" "+string(a.history.Yesterday())))
}
