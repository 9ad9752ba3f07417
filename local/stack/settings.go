package stack

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/pinflow/pinflow/internal/config"
)

// The fixed names and secrets of the embedded stack. It listens on loopback only.
const (
	accessKey   = "local"
	secretKey   = "local-secret"
	region      = "us-east-1"
	token       = "dapi-local"
	warehouseID = "local"
	apiKey      = "local-key"
	bucket      = "pinflow"
	namespace   = "default"
)

// writeSettings writes the addresses of the stack under the names of .env.example. The file appears
// as a whole.
func writeSettings(dir string, p Ports, workspaceURL string) error {
	gateway, worker := address(config.GatewayPort+p.Offset), address(config.WorkerPort+p.Offset)
	var b strings.Builder
	b.WriteString("# Written by the embedded stack while it runs.\n")
	for _, setting := range [][2]string{
		{"TEMPORAL_ADDRESS", address(p.Temporal)},
		{"TEMPORAL_NAMESPACE", namespace},
		{"PINFLOW_TEMPORAL_UI_URL", "http://" + address(p.UI)},
		{"AWS_REGION", region},
		{"AWS_ACCESS_KEY_ID", accessKey},
		{"AWS_SECRET_ACCESS_KEY", secretKey},
		{"AWS_ENDPOINT_URL_S3", "http://" + address(p.S3)},
		{"PINFLOW_BUCKET", bucket},
		{"PINFLOW_S3_PATH_STYLE", "true"},
		{"DATABRICKS_HOST", workspaceURL},
		{"DATABRICKS_TOKEN", token},
		{"PINFLOW_WAREHOUSE_ID", warehouseID},
		{"PINFLOW_KAFKA_BROKERS", address(p.Kafka)},
		{"PINFLOW_GATEWAY_ADDRESS", gateway},
		{"PINFLOW_GATEWAY_URL", "http://" + gateway},
		{"PINFLOW_API_KEYS", apiKey},
		{"PINFLOW_WORKER_ADDRESS", worker},
		{"PINFLOW_WORKER_VERSIONING", "off"}, // nobody promotes a worker of the demo, whose run would wait
	} {
		fmt.Fprintf(&b, "%s=%s\n", setting[0], setting[1])
	}
	file := filepath.Join(dir, config.StackFile)
	if err := os.WriteFile(file+".new", []byte(b.String()), 0o600); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}
