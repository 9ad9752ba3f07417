package workspace

import (
	"context"
	"net/http"
	"regexp"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/databricks/databricks-sdk-go/service/iam"
	"github.com/google/uuid"

	"github.com/pinflow/pinflow/local/engine"
)

// workspaceID is the id of the workspace, which the SDK sends with each request.
const workspaceID = "1"

// handler returns the value of the JSON response, a download, or an error.
type handler func(*http.Request) (any, error)

// download is a response that is not JSON.
type download struct {
	name    string
	content []byte
}

// routes returns the API, the pages and the health check. The SDK calls Jobs 2.2; 2.1 is the same
// here.
func (s *Server) routes() http.Handler {
	api := http.NewServeMux()
	for _, version := range []string{"2.1", "2.2"} {
		runs := "/api/" + version + "/jobs/runs/"
		s.handle(api, "POST "+runs+"submit", s.submitRun)
		s.handle(api, "GET "+runs+"get", s.getRun)
		s.handle(api, "GET "+runs+"get-output", s.getRunOutput)
		s.handle(api, "GET "+runs+"list", s.listRuns)
		s.handle(api, "POST "+runs+"cancel", s.cancelRun)
		s.handle(api, "POST "+runs+"delete", s.deleteRun)
	}
	s.handle(api, "POST /api/2.0/workspace/import", s.importObject)
	s.handle(api, "GET /api/2.0/workspace/export", s.exportObject)
	s.handle(api, "GET /api/2.0/workspace/get-status", s.getStatus)
	s.handle(api, "GET /api/2.0/workspace/list", s.listObjects)
	s.handle(api, "POST /api/2.0/workspace/mkdirs", s.makeDirectories)
	s.handle(api, "POST /api/2.0/workspace/delete", s.deleteObject)
	s.handle(api, "POST /api/2.0/sql/statements", s.executeStatement)
	s.handle(api, "POST /api/2.0/sql/statements/{$}", s.executeStatement)
	s.handle(api, "GET /api/2.0/sql/statements/{statement_id}", s.getStatement)
	s.handle(api, "GET /api/2.0/sql/statements/{statement_id}/result/chunks/{chunk_index}", s.getStatementChunk)
	s.handle(api, "POST /api/2.0/sql/statements/{statement_id}/cancel", s.cancelStatement)
	s.handle(api, "GET /api/2.0/preview/scim/v2/Me", s.currentUser)
	s.handle(api, "/api/", unknownEndpoint)

	mux := http.NewServeMux()
	mux.Handle("/api/", s.authenticated(api))
	s.handle(mux, "GET /.well-known/databricks-config", s.discovery)
	s.handle(mux, "GET /healthz", s.health)
	s.handlePages(mux)
	return s.recovered(mux)
}

// handle writes the response of a handler.
func (s *Server) handle(mux *http.ServeMux, pattern string, h handler) {
	mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		answer, err := h(r)
		if err != nil {
			s.writeError(w, r, asAPIError(err))
			return
		}
		if file, ok := answer.(download); ok {
			w.Header().Set("Content-Type", "application/octet-stream")
			w.Header().Set("Content-Disposition", "attachment; filename="+strconv.Quote(file.name))
			_, err = w.Write(file.content)
		} else {
			err = writeJSON(w, http.StatusOK, answer)
		}
		if err != nil {
			s.log.Debug("an answer could not be sent", "path", r.URL.Path, "error", err)
		}
	})
}

func (s *Server) writeError(w http.ResponseWriter, r *http.Request, e *apiError) {
	level := s.log.Info
	if e.status >= http.StatusInternalServerError {
		level = s.log.Error
	}
	id := w.Header().Get("X-Request-Id")
	level("request rejected", "method", r.Method, "path", r.URL.Path, "status", e.status, "error", e, "request_id", id)
	if e.status == http.StatusUnauthorized || e.status == http.StatusForbidden {
		w.Header().Set("X-Databricks-Reason-Phrase", e.message)
	}
	if err := writeJSON(w, e.status, e.body(id)); err != nil {
		s.log.Debug("an answer could not be sent", "path", r.URL.Path, "error", err)
	}
}

func (s *Server) authenticated(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := s.authorize(r); err != nil {
			s.writeError(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// recovered sets the request id of each response and turns a panic into an INTERNAL_ERROR.
func (s *Server) recovered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Request-Id", uuid.NewString())
		w.Header().Set("X-Databricks-Org-Id", workspaceID)
		defer func() {
			if p := recover(); p != nil {
				s.log.Error("a request panicked", "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
				s.writeError(w, r, &apiError{http.StatusInternalServerError, "INTERNAL_ERROR", "The request failed in the workspace; its log says why."})
			}
		}()
		next.ServeHTTP(w, r)
	})
}

var versionPrefix = regexp.MustCompile(`^/api/\d+\.\d+`)

func unknownEndpoint(r *http.Request) (any, error) {
	return nil, endpointMissing(r.Method, versionPrefix.ReplaceAllString(r.URL.Path, ""))
}

// discovery is the SDK's first request, without credentials.
func (s *Server) discovery(*http.Request) (any, error) {
	return map[string]any{
		"host_type":     "workspace",
		"workspace_id":  workspaceID,
		"cloud":         "AWS",
		"oidc_endpoint": s.URL() + "/oidc",
	}, nil
}

func (s *Server) currentUser(*http.Request) (any, error) {
	return iam.User{Id: workspaceID, UserName: userName, DisplayName: userName, Active: true}, nil
}

// health checks the store and the engine, too: a workspace that only listens is not ready.
func (s *Server) health(r *http.Request) (any, error) {
	ctx, cancel := context.WithTimeout(r.Context(), 10*time.Second)
	defer cancel()
	if err := s.store.ping(ctx); err != nil {
		return nil, err
	}
	if _, err := s.engine.Query(ctx, engine.Query{SQL: "SELECT 1"}); err != nil {
		return nil, err
	}
	return map[string]string{"status": "ok"}, nil
}
