// Package api has the conventions that all APIs of the workspace share: handlers, parameters,
// bodies and errors. It knows neither runs nor SQL.
package api

import "net/http"

// UserName is the only user of the workspace.
const UserName = "local"

// Handler returns the value of the JSON response, a [Download], or an error, which [AsError]
// converts.
type Handler func(*http.Request) (any, error)

// Routes are handlers by their pattern, as in http.ServeMux.
type Routes map[string]Handler

// Download is a response that is not JSON.
type Download struct {
	Name    string
	Content []byte
}
