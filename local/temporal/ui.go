package temporal

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/temporalio/ui-server/v2/server"
	"github.com/temporalio/ui-server/v2/server/config"
	"github.com/temporalio/ui-server/v2/server/server_options"
)

// UIOptions configures the Web UI.
type UIOptions struct {
	IP        string
	Port      int
	Frontend  string // host:port of the Temporal server
	Namespace string
}

// UI is a running Web UI.
type UI struct{ server *server.Server }

// StartUI starts the Web UI. The Temporal server need not be running yet.
func StartUI(o UIOptions) *UI {
	ui := server.NewServer(server_options.WithConfigProvider(&config.Config{
		TemporalGRPCAddress: o.Frontend, Host: o.IP, Port: o.Port, EnableUI: true, DefaultNamespace: o.Namespace,
		CORS:             config.CORS{CookieInsecure: true}, // plain HTTP on loopback
		DisableNewsFetch: true, HideLogs: true,
	}))
	go func() { _ = ui.Start() }() // it ends the process if it cannot listen, so that the port is checked before
	return &UI{ui}
}

// Stop stops the Web UI.
func (u *UI) Stop() { u.server.Stop() }

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
