package failure

import (
	"errors"
	"strings"

	"go.temporal.io/sdk/temporal"
)

// Type returns the type of an error that an activity, an operator or a workflow has given it; it is
// empty for others.
func Type(err error) string {
	var typed *temporal.ApplicationError
	if errors.As(err, &typed) {
		return typed.Type()
	}
	return ""
}

// OneLine returns the text of an error on one line.
func OneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

// Cut shortens a text to that many bytes and marks that it did.
func Cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "") + " …"
}
