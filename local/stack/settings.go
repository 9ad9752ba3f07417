package stack

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/pinflow/pinflow/internal/config"
)

// The fixed names of the embedded stack, which listens on loopback only. Its secrets are random.
const (
	accessKey   = "local"
	region      = "us-east-1"
	warehouseID = "local"
	bucket      = "pinflow"
	namespace   = "default"
)

// writeSettings writes the addresses of the stack under the names of .env.example. The file appears
// as a whole, and only the user reads it: the secrets are in it.
func writeSettings(dir string, p Ports, workspaceURL string, own secrets) error {
	gateway, worker := address(config.GatewayPort+p.Offset), address(config.WorkerPort+p.Offset)
	var b strings.Builder
	b.WriteString("# Written by the embedded stack while it runs.\n")
	for _, setting := range [][2]string{
		{"TEMPORAL_ADDRESS", address(p.Temporal)},
		{"TEMPORAL_NAMESPACE", namespace},
		{"PINFLOW_TEMPORAL_UI_URL", "http://" + address(p.UI)},
		{"AWS_REGION", region},
		{"AWS_ACCESS_KEY_ID", accessKey},
		{"AWS_SECRET_ACCESS_KEY", own.secretKey},
		{"AWS_ENDPOINT_URL_S3", "http://" + address(p.S3)},
		{"AWS_ENDPOINT_URL_KINESIS", "http://" + address(p.Kinesis)},
		{"PINFLOW_BUCKET", bucket},
		{"PINFLOW_S3_PATH_STYLE", "true"},
		{"DATABRICKS_HOST", workspaceURL},
		{"DATABRICKS_TOKEN", own.token},
		{"PINFLOW_WAREHOUSE_ID", warehouseID},
		{"PINFLOW_KAFKA_BROKERS", address(p.Kafka)},
		{"PINFLOW_GATEWAY_ADDRESS", gateway},
		{"PINFLOW_GATEWAY_URL", "http://" + gateway},
		{"PINFLOW_API_KEYS", own.apiKey},
		{"PINFLOW_WORKER_ADDRESS", worker},
		{"PINFLOW_WORKER_VERSIONING", "off"}, // nobody promotes a worker of the demo, whose run would wait
	} {
		fmt.Fprintf(&b, "%s=%s\n", setting[0], setting[1])
	}
	return writePrivate(filepath.Join(dir, config.StackFile), b.String())
}
