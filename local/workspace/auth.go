package workspace

import (
	"crypto/subtle"
	"net/http"
	"strings"

	"github.com/pinflow/pinflow/local/workspace/api"
)

// authorize checks the personal access token, which is a bearer token or the password of the user
// "token". As in the service, a wrong token gets 403, and only a request without credentials 401.
// In both, error_code is a number.
func (s *Server) authorize(r *http.Request) *api.Error {
	token, ok := bearerToken(r)
	if !ok {
		return &api.Error{Status: http.StatusUnauthorized, Code: http.StatusUnauthorized, Message: "Credential was not sent or was of an unsupported type for this API."}
	}
	if subtle.ConstantTimeCompare([]byte(token), []byte(s.options.Token)) != 1 {
		return &api.Error{Status: http.StatusForbidden, Code: http.StatusForbidden, Message: "Invalid access token."}
	}
	return nil
}

func bearerToken(r *http.Request) (string, bool) {
	if user, password, ok := r.BasicAuth(); ok && user == "token" {
		return password, true
	}
	scheme, token, found := strings.Cut(r.Header.Get("Authorization"), " ")
	if !found || !strings.EqualFold(scheme, "Bearer") || strings.TrimSpace(token) == "" {
		return "", false
	}
	return strings.TrimSpace(token), true
}
