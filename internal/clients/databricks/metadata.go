package databricks

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/databricks/databricks-sdk-go/config"
	"github.com/databricks/databricks-sdk-go/useragent"
)

// metadataTimeout limits the request for the metadata of a host, which the SDK makes before the
// first call.
const metadataTimeout = 5 * time.Second

// askOnce requests the metadata once for each client. The SDK requests it several times while it
// creates a client, with retries, so that New would take minutes for a workspace that is down. A
// missing response is not an error: the metadata only completes the settings (account, cloud, OAuth
// address), and the first call reports what is wrong.
func askOnce(ask func(context.Context, string) (*config.HostMetadata, error)) config.HostMetadataResolver {
	var once sync.Once
	var metadata *config.HostMetadata
	return func(ctx context.Context, host string) (*config.HostMetadata, error) {
		once.Do(func() { metadata, _ = ask(ctx, host) })
		return metadata, nil
	}
}

// fetchHostMetadata requests the metadata from the host; nil if the host has none.
func fetchHostMetadata(ctx context.Context, host string) (*config.HostMetadata, error) {
	ctx, done := context.WithTimeout(ctx, metadataTimeout)
	defer done()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, host+"/.well-known/databricks-config", nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("User-Agent", useragent.FromContext(ctx))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, nil
	}
	metadata := &config.HostMetadata{}
	if err := json.NewDecoder(response.Body).Decode(metadata); err != nil {
		return nil, err
	}
	return metadata, nil
}
