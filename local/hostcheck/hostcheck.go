// Package hostcheck protects servers on loopback from DNS rebinding: a page of the Web whose name an
// attacker lets resolve to 127.0.0.1 reaches the server, and its browser takes the answers for the
// page's own. The Host header, which the page cannot change, still has the attacker's name.
package hostcheck

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// Only returns a handler that serves requests for localhost, a loopback address, the address on
// which the connection has arrived, or the host of one of the URLs. To others it answers 421
// (Misdirected Request). The port does not count, so that forwarded ports work.
func Only(next http.Handler, urls ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if Allowed(r, urls...) {
			next.ServeHTTP(w, r)
			return
		}
		http.Error(w, fmt.Sprintf("This server does not answer for the host %q: use localhost, or the address on which it listens.", r.Host), http.StatusMisdirectedRequest)
	})
}

// Allowed reports whether a request names a host that Only serves.
func Allowed(r *http.Request, urls ...string) bool {
	host := (&url.URL{Host: r.Host}).Hostname()
	if strings.EqualFold(host, "localhost") {
		return true
	}
	for _, text := range urls {
		if u, err := url.Parse(text); err == nil && u.Hostname() != "" && strings.EqualFold(host, u.Hostname()) {
			return true
		}
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && (ip.Unmap().IsLoopback() || ip.Unmap() == arrivedAt(r))
}

// arrivedAt returns the local address of the request's connection; the zero address is none.
func arrivedAt(r *http.Request) netip.Addr {
	local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if tcp, ok := local.(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap().WithZone("")
	}
	return netip.Addr{}
}
