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

// metadataTimeout limits the question for a host's metadata, which the SDK asks before the first call.
const metadataTimeout = 5 * time.Second

// askOnce asks for the metadata once a client. The SDK itself asks several times while it sets a client up, and repeats each of them for as
// long as any other call: a workspace that is down would hold New for minutes. An answer that did not come is no error: the metadata
// only fills in what the settings leave out (account, cloud, the OAuth address), and the first call tells what is wrong.
func askOnce(ask func(context.Context, string) (*config.HostMetadata, error)) config.HostMetadataResolver {
	var once sync.Once
	var metadata *config.HostMetadata
	return func(ctx context.Context, host string) (*config.HostMetadata, error) {
		once.Do(func() { metadata, _ = ask(ctx, host) })
		return metadata, nil
	}
}

// fetchHostMetadata asks the host itself; nil if it does not know.
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
