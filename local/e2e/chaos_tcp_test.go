package e2e

import (
	"strings"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	_ "github.com/Shopify/toxiproxy/v2/toxics" // registers the toxics
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
)

// chaosTCP is a proxy before a server whose protocol is not HTTP.
type chaosTCP struct {
	*toxiproxy.Proxy
	system string
}

// newChaosTCP starts a proxy.
func newChaosTCP(t *testing.T, system, listen, upstream string) *chaosTCP {
	zerolog.SetGlobalLevel(zerolog.Disabled) // the toxics log each connection
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	p := &chaosTCP{toxiproxy.NewProxy(server, system, listen, upstream), system}
	require.NoError(t, p.Start())
	t.Cleanup(p.Stop)
	return p
}

// trouble disturbs the connections for a moment.
func (p *chaosTCP) trouble(t *testing.T, f *faults) {
	toxics := []struct{ kind, json string }{
		{"slow", `{"name":"chaos","type":"latency","stream":"downstream","attributes":{"latency":300,"jitter":200}}`},
		{"narrow", `{"name":"chaos","type":"bandwidth","stream":"upstream","attributes":{"rate":8}}`},
		{"dropped", `{"name":"chaos","type":"timeout","stream":"downstream","attributes":{"timeout":0}}`},
		{"reset", `{"name":"chaos","type":"reset_peer","stream":"downstream","attributes":{"timeout":50}}`},
		{"cut after some bytes", `{"name":"chaos","type":"limit_data","stream":"downstream","attributes":{"bytes":2000}}`},
		{"refused", ""},
	}
	toxic := toxics[f.between(0, len(toxics)-1)]
	f.note(p.system + ": connections " + toxic.kind)
	lasts := time.Duration(f.between(100, 900)) * time.Millisecond
	if toxic.json == "" {
		p.Stop()
		time.Sleep(lasts)
		if err := p.Start(); err != nil {
			t.Errorf("proxy before %s: %v", p.system, err)
		}
		return
	}
	if _, err := p.Toxics.AddToxicJson(strings.NewReader(toxic.json)); err != nil {
		t.Errorf("proxy before %s: %v", p.system, err)
		return
	}
	time.Sleep(lasts)
	if err := p.Toxics.RemoveToxic(t.Context(), "chaos"); err != nil && t.Context().Err() == nil {
		t.Errorf("proxy before %s: %v", p.system, err)
	}
}
