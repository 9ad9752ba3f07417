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
	"github.com/pinflow/pinflow/local/hostcheck"
	"github.com/pinflow/pinflow/local/workspace/api"
)

// workspaceID is the id of the workspace, which the SDK sends with each request.
const workspaceID = "1"

// routes returns the APIs, the pages and the health check, for requests that name this server.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	for _, routes := range []api.Routes{s.runs.Routes(), s.tree.Routes(), s.statements.Routes(), s.dashboards.Routes(), s.ownRoutes()} {
		for pattern, h := range routes {
			s.handle(mux, pattern, h)
		}
	}
	all := http.NewServeMux()
	all.Handle("/api/", s.authenticated(mux))
	s.handle(all, "GET /.well-known/databricks-config", s.discovery)
	s.handle(all, "GET /healthz", s.health)
	s.handlePages(all)
	return hostcheck.Only(s.recovered(all), s.options.PublicURL)
}

// ownRoutes returns the endpoints about the workspace itself.
func (s *Server) ownRoutes() api.Routes {
	return api.Routes{
		"GET /api/2.0/preview/scim/v2/Me":         s.currentUser,
		"GET /api/2.0/clusters/spark-versions":    s.listSparkVersions,
		"GET /api/2.1/clusters/spark-versions":    s.listSparkVersions,
		"GET /api/2.0/sql/warehouses":             s.listWarehouses,
		"GET /api/2.0/sql/warehouses/{id}":        s.getWarehouse,
		"POST /api/2.0/sql/warehouses/{id}/start": s.startWarehouse,
		"POST /api/2.0/sql/warehouses/{id}/stop":  s.stopWarehouse,
		"/api/":                                   unknownEndpoint,
	}
}

// handle writes the response of a handler.
func (s *Server) handle(mux *http.ServeMux, pattern string, h api.Handler) {
	mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, api.MaxBody)
		answer, err := h(r)
		if err != nil {
			s.writeError(w, r, api.AsError(err))
			return
		}
		if file, ok := answer.(api.Download); ok {
			w.Header().Set("Content-Type", "application/octet-stream")
			w.Header().Set("Content-Disposition", "attachment; filename="+strconv.Quote(file.Name))
			_, err = w.Write(file.Content)
		} else {
			err = api.WriteJSON(w, http.StatusOK, answer)
		}
		if err != nil {
			s.log.Debug("an answer could not be sent", "path", r.URL.Path, "error", err)
		}
	})
}

func (s *Server) writeError(w http.ResponseWriter, r *http.Request, e *api.Error) {
	level := s.log.Info
	if e.Status >= http.StatusInternalServerError {
		level = s.log.Error
	}
	id := w.Header().Get("X-Request-Id")
	level("request rejected", "method", r.Method, "path", r.URL.Path, "status", e.Status, "error", e, "request_id", id)
	if e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden {
		w.Header().Set("X-Databricks-Reason-Phrase", e.Message)
	}
	if err := api.WriteJSON(w, e.Status, e.Body(id)); err != nil {
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
				s.writeError(w, r, &api.Error{Status: http.StatusInternalServerError, Code: "INTERNAL_ERROR", Message: "The request failed in the workspace; its log says why."})
			}
		}()
		next.ServeHTTP(w, r)
	})
}

var versionPrefix = regexp.MustCompile(`^/api/\d+\.\d+`)

func unknownEndpoint(r *http.Request) (any, error) {
	return nil, api.EndpointMissing(r.Method, versionPrefix.ReplaceAllString(r.URL.Path, ""))
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
	return iam.User{Id: workspaceID, UserName: api.UserName, DisplayName: api.UserName, Active: true}, nil
}

// health checks the store and the engine, too: a workspace that only listens is not ready.
func (s *Server) health(r *http.Request) (any, error) {
	ctx, cancel := context.WithTimeout(r.Context(), 10*time.Second)
	defer cancel()
	if err := s.runs.Ping(ctx); err != nil {
		return nil, err
	}
	if _, err := s.engine.Query(ctx, engine.Query{SQL: "SELECT 1"}); err != nil {
		return nil, err
	}
	return map[string]string{"status": "ok"}, nil
}
