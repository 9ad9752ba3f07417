package databricks

import (
	"errors"
	"fmt"
	"net/http"
	"os"

	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/config"

	"github.com/pinflow/pinflow/internal/clients/fault"
)

// Classify turns an error of the workspace's API into a *fault.Error. It returns errors that are
// not the API's unchanged.
func Classify(err error) error {
	if err == nil || fault.KindOf(err) != fault.Unknown {
		return err
	}
	classified := func(kind fault.Kind, what, next string) error {
		return &fault.Error{Kind: kind, What: what, Next: next, Err: err}
	}
	var answer *apierr.APIError
	if !errors.As(err, &answer) {
		switch {
		case errors.Is(err, config.ErrCannotConfigureDefault):
			return classified(fault.Unset, "Databricks is not configured", "set DATABRICKS_HOST and DATABRICKS_TOKEN")
		case fault.NoAnswer(err):
			return classified(fault.Unreachable, "cannot reach "+system(), "is the stack up? start it with `make stack`, or set DATABRICKS_HOST")
		}
		return err
	}
	switch {
	case answer.StatusCode == http.StatusUnauthorized:
		return classified(fault.Unauthenticated, system()+" rejected the credentials", "check DATABRICKS_TOKEN, or the OAuth client")
	case answer.StatusCode == http.StatusForbidden:
		return classified(fault.Unauthorized, system()+" denied permission", "check DATABRICKS_TOKEN and the permissions of its user")
	case errors.Is(err, apierr.ErrNotFound):
		return classified(fault.Missing, system()+" does not have it", "run `starter notebooks push`, and check PINFLOW_NOTEBOOKS and PINFLOW_COMPUTE")
	case passes(answer.StatusCode):
		return classified(fault.Unreachable, system()+" is unavailable", fmt.Sprintf("it responded with status %d: try again later", answer.StatusCode))
	}
	return classified(fault.Invalid, system()+" rejected the request", "check PINFLOW_COMPUTE and the parameters")
}

// passes reports whether a request that got that HTTP status may succeed when it is repeated.
func passes(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusConflict, http.StatusTooManyRequests:
		return true
	}
	return status < http.StatusBadRequest || status >= http.StatusInternalServerError
}

// system names the workspace that requests go to.
func system() string {
	if host := os.Getenv("DATABRICKS_HOST"); host != "" {
		return "Databricks at " + host
	}
	return "Databricks"
}
