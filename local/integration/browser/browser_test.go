// Package browser tests what Pinflow writes for browsers in a real one.
package browser

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// browser returns the path of Chromium. Without it the test is skipped, unless
// PINFLOW_REQUIRE_CHROMIUM is set, as in continuous integration.
func browser(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("PINFLOW_REQUIRE_CHROMIUM") != "" {
		t.Fatal("Chromium is not installed, and PINFLOW_REQUIRE_CHROMIUM asks for it")
	}
	t.Skip("Chromium is not installed: pages are not tested in a browser here")
	return ""
}

// tab is a tab of a browser, and what it asked for.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex
	requests []string
}

// openTab starts a browser.
func openTab(t *testing.T) *tab {
	t.Helper()
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(browser(t)), chromedp.UserDataDir(t.TempDir()), chromedp.WSURLReadTimeout(time.Minute))
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium refuses to run as root with it
	}
	ctx, done := context.WithTimeout(context.Background(), 3*time.Minute)
	t.Cleanup(done)
	ctx, stop := chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(stop)
	ctx, closeTab := chromedp.NewContext(ctx, chromedp.WithErrorf(t.Logf)) // events that this client does not know
	t.Cleanup(func() { _ = chromedp.Cancel(ctx); closeTab() })
	b := &tab{t: t, ctx: ctx}
	require.NoError(t, chromedp.Listen(ctx, func(event any) {
		if request, ok := event.(*network.EventRequestWillBeSent); ok {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.requests = append(b.requests, request.Request.URL)
		}
	}))
	_, err := chromedp.Call(ctx, network.Enable, network.EnableParams{})
	require.NoError(t, err)
	return b
}

// screen is what the reader has.
type screen struct {
	name   string
	width  int64
	height int64
	scheme string // light or dark
}

var screens = []screen{
	{"phone-light", 360, 780, "light"}, {"phone-dark", 360, 780, "dark"},
	{"desktop-light", 1280, 900, "light"}, {"desktop-dark", 1280, 900, "dark"},
}

// open shows a page on a screen.
func (b *tab) open(s screen, page string) {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: s.width, Height: s.height, DeviceScaleFactor: 1, Mobile: s.width < 600,
	})
	require.NoError(b.t, err)
	_, err = chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: s.scheme}},
	})
	require.NoError(b.t, err)
	require.NoError(b.t, chromedp.Do(b.ctx, chromedp.Navigate("file://"+page)))
}

// eval returns the value of an expression, which runs in the page.
func eval[T any](t *testing.T, b *tab, expression string) T {
	t.Helper()
	value, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression))
	require.NoError(t, err)
	return value
}

// shoot writes a screenshot of the whole page into the directory that PINFLOW_SCREENSHOTS names: a
// person looks at it after a change.
func (b *tab) shoot(name string) {
	b.t.Helper()
	dir := os.Getenv("PINFLOW_SCREENSHOTS")
	if dir == "" {
		return
	}
	image, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	require.NoError(b.t, err)
	require.NoError(b.t, os.WriteFile(filepath.Join(dir, name+".png"), image, 0o644))
}

// asked returns the requests that were not for the page itself.
func (b *tab) asked(page string) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(b.requests), func(url string) bool {
		return strings.SplitN(url, "#", 2)[0] == "file://"+page
	})
}
