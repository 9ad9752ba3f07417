package temporal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
	"github.com/temporalio/ui-server/v2/server/api"
	"github.com/temporalio/ui-server/v2/server/config"
	"github.com/temporalio/ui-server/v2/server/csrf"
	"github.com/temporalio/ui-server/v2/server/headers"
	"github.com/temporalio/ui-server/v2/server/route"
	"github.com/temporalio/ui-server/v2/ui"

	"github.com/pinflow/pinflow/local/hostcheck"
)

// UIOptions configures the Web UI.
type UIOptions struct {
	IP        string
	Port      int
	Frontend  string // host:port of the Temporal server
	Namespace string
}

// UI is a running Web UI.
type UI struct {
	server *http.Server
	ended  chan struct{}
}

// StartUI starts the Web UI, which the Temporal server may follow. It serves requests for its own
// address only: the pages need no password, and can cancel and terminate workflows.
func StartUI(o UIOptions) (*UI, error) {
	handler, err := webUI(o)
	if err != nil {
		return nil, fmt.Errorf("the Temporal Web UI: %w", err)
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(o.IP, strconv.Itoa(o.Port)))
	if err != nil {
		return nil, fmt.Errorf("the Temporal Web UI cannot listen: %w", err)
	}
	web := &UI{&http.Server{Handler: hostcheck.Only(handler), ReadHeaderTimeout: 10 * time.Second}, make(chan struct{})}
	go func() {
		defer close(web.ended)
		_ = web.server.Serve(listener) // until Stop
	}()
	return web, nil
}

// webUI puts the handlers of Temporal's UI server together as its NewServer does, whose server takes
// no handler before its own and ends the process if the port is in use.
func webUI(o UIOptions) (http.Handler, error) {
	provider, err := config.NewConfigProviderWithRefresh(&config.Config{
		TemporalGRPCAddress: o.Frontend, EnableUI: true, DefaultNamespace: o.Namespace,
		CORS:             config.CORS{CookieInsecure: true}, // plain HTTP on loopback
		DisableNewsFetch: true, HideLogs: true,
	})
	if err != nil {
		return nil, err
	}
	files, err := ui.Assets()
	if err != nil {
		return nil, err
	}
	if files, err = fs.Sub(files, "local"); err != nil {
		return nil, err
	}
	e := echo.New()
	e.Use(middleware.Recover(), middleware.Gzip(), middleware.Secure())
	e.Use(csrf.EnsureTokenCookie(false), middleware.CSRFWithConfig(csrf.MiddlewareConfig(provider, false)))
	route.SetHealthRoute(e)
	if err := route.SetAPIRoutes(e, provider, []api.Middleware{headers.WithForwardHeaders([]string{"Caller-Type"})}); err != nil {
		return nil, err
	}
	if err := route.SetUIRoutes(e, "", files, provider); err != nil {
		return nil, err
	}
	route.SetRenderRoute(e, "/")
	return e, nil
}

// Stop stops the Web UI.
func (u *UI) Stop() {
	_ = u.server.Close()
	<-u.ended
}

// WaitUI returns when the Web UI responds.
func WaitUI(ctx context.Context, ip string, port int) error {
	url := "http://" + net.JoinHostPort(ip, strconv.Itoa(port)) + "/healthz"
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		if response, err := http.DefaultClient.Do(request); err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("the Web UI does not respond at %s", url), ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}
