package workspace

import (
	"bytes"
	_ "embed" // the template of the pages
	"errors"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/pinflow/pinflow/local/workspace/runs"
)

// indexRuns is how many runs the index page shows.
const indexRuns = 100

//go:embed pages.html
var pagesText string

var pages = template.Must(template.New("pages").Funcs(template.FuncMap{
	"time":     pageTime,
	"took":     pageDuration,
	"settings": func(params map[string]string) []string { return slices.Sorted(maps.Keys(params)) },
}).Parse(pagesText))

// page is the data of the template. Refresh reloads a page with active runs.
type page struct {
	Title   string
	Refresh bool
	Now     int64
	Runs    []*runs.Run
	Run     *runs.Run
	Message string
}

func (s *Server) handlePages(mux *http.ServeMux) {
	mux.HandleFunc("GET /{$}", s.indexPage)
	mux.HandleFunc("GET /jobs/{job_id}/runs/{run_id}", s.runPageHandler)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.showMissing(w, "There is no page at "+r.URL.Path+".")
	})
}

func (s *Server) indexPage(w http.ResponseWriter, r *http.Request) {
	latest, err := s.runs.Latest(r.Context(), indexRuns)
	if err != nil {
		s.showError(w, err)
		return
	}
	active := slices.ContainsFunc(latest, (*runs.Run).Active)
	s.show(w, http.StatusOK, "index", page{Title: "Runs", Refresh: active, Runs: latest})
}

func (s *Server) runPageHandler(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseInt(r.PathValue("run_id"), 10, 64)
	if err != nil {
		s.showMissing(w, "A run's id is a number.")
		return
	}
	found, err := s.runs.Find(r.Context(), id)
	switch {
	case errors.Is(err, runs.ErrMissing):
		s.showMissing(w, "Run "+strconv.FormatInt(id, 10)+" does not exist. Runs are removed 60 days after they ended.")
	case err != nil:
		s.showError(w, err)
	default:
		s.show(w, http.StatusOK, "run", page{Title: found.Name, Refresh: found.Active(), Run: found})
	}
}

func (s *Server) showMissing(w http.ResponseWriter, message string) {
	s.show(w, http.StatusNotFound, "message", page{Title: "Not found", Message: message})
}

func (s *Server) showError(w http.ResponseWriter, err error) {
	s.log.Error("a page failed", "error", err)
	s.show(w, http.StatusInternalServerError, "message", page{Title: "Internal error", Message: err.Error()})
}

func (s *Server) show(w http.ResponseWriter, status int, name string, p page) {
	p.Now = s.now().UnixMilli()
	var body bytes.Buffer
	if err := pages.ExecuteTemplate(&body, name, p); err != nil {
		s.log.Error("a page failed", "page", name, "error", err)
		http.Error(w, "The page cannot be rendered.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src data:")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if _, err := w.Write(body.Bytes()); err != nil {
		s.log.Debug("a page could not be sent", "error", err)
	}
}

// pageTime formats milliseconds since the epoch in UTC; a dash is none.
func pageTime(millis int64) string {
	if millis == 0 {
		return "–"
	}
	return time.UnixMilli(millis).UTC().Format("2006-01-02 15:04:05 UTC")
}

// pageDuration formats how long something took, or has taken so far.
func pageDuration(from, to, now int64) string {
	if from == 0 {
		return "–"
	}
	if to == 0 {
		to = now
	}
	took := time.Duration(to-from) * time.Millisecond
	if took < time.Second {
		return took.String()
	}
	return took.Round(100 * time.Millisecond).String()
}
