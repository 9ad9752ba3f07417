package flags

import (
	"strings"

	"github.com/spf13/cobra"
)

// Reason adds --reason to a command.
func Reason(c *cobra.Command, into *string) {
	c.Flags().StringVar(into, "reason", "", "`text` for others to read")
}

// GivenReason returns the text of --reason, or that there is none.
func GivenReason(text string) string {
	if strings.TrimSpace(text) == "" {
		return "no reason given"
	}
	return text
}
