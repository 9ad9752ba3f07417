// Package config reads Pinflow's settings from the environment. Every program reads the same names,
// which .env.example explains.
//
// The names of the field are kept where there are any: TEMPORAL_* is read by the Temporal SDK's
// envconfig, DATABRICKS_* by the Databricks SDK and AWS_* by the AWS SDK. What is Pinflow's own
// starts with PINFLOW_.
package config

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"

	"github.com/pinflow/pinflow/internal/run"
	"github.com/pinflow/pinflow/notebooks"
)

// Config is what a program of Pinflow needs to know about its surroundings.
type Config struct {
	// Deployment is the name of this installation, which begins all names that it gives in systems
	// that several installations share.
	Deployment run.Deployment `env:"PINFLOW_DEPLOYMENT" envDefault:"pinflow"`
	// UserID is the prefix of the topics and streams, as in <UserId>.pin.
	UserID string `env:"PINFLOW_USER_ID" envDefault:"pinflow"`
	// PostsTopic is the topic of POST /pin/, whose records have all fields of a post.
	PostsTopic string `env:"PINFLOW_POSTS_TOPIC" envDefault:"Pinterest_data"`
	// Brokers are the Kafka bootstrap addresses, host:port.
	Brokers []string `env:"PINFLOW_KAFKA_BROKERS" envDefault:"127.0.0.1:9092"`
	// Partitions is how many partitions `starter setup` gives a new topic.
	Partitions int `env:"PINFLOW_KAFKA_PARTITIONS" envDefault:"3"`
	// Kafka is how the brokers are reached, and what new topics are given.
	Kafka Kafka `envPrefix:"PINFLOW_KAFKA_"`
	// Bucket holds the landed objects, boundaries, manifests and the ledger, in the folder of the
	// deployment.
	Bucket string `env:"PINFLOW_BUCKET" envDefault:"pinflow"`
	// S3PathStyle addresses buckets as host/bucket, as S3 servers other than AWS want it.
	S3PathStyle bool `env:"PINFLOW_S3_PATH_STYLE" envDefault:"false"`
	// Schema is the schema of the tables, or catalog.schema. No two deployments may share one. By
	// default it is the deployment's name with underscores, and pinterest for the default
	// deployment.
	Schema string `env:"PINFLOW_SCHEMA"`
	// Notebooks is the workspace folder to which the notebooks are pushed; /Shared/<deployment> by
	// default.
	Notebooks string `env:"PINFLOW_NOTEBOOKS"`
	// Compute says where notebooks run: serverless, warehouse:<id>, cluster:<id>, or the JSON of a
	// new cluster.
	Compute string `env:"PINFLOW_COMPUTE" envDefault:"serverless"`
	// Warehouse is the id of the SQL warehouse that answers `starter answers`.
	Warehouse string `env:"PINFLOW_WAREHOUSE_ID"`
	// InvalidFollowers is what cleaning does with a follower count that cannot be read: quarantine
	// or null.
	InvalidFollowers string `env:"PINFLOW_INVALID_FOLLOWERS" envDefault:"quarantine"`

	// LostRecords is what a date does from which Kafka lost records before they landed: fail, until an
	// operator accepts the loss, or warn.
	LostRecords string `env:"PINFLOW_LOST_RECORDS" envDefault:"fail"`

	// GatewayAddress is where the gateway listens.
	GatewayAddress string `env:"PINFLOW_GATEWAY_ADDRESS" envDefault:"127.0.0.1:8082"`
	// GatewayURL is where clients find the gateway.
	GatewayURL string `env:"PINFLOW_GATEWAY_URL" envDefault:"http://127.0.0.1:8082"`
	// APIKeys are the keys that the gateway accepts, each as key or name=key; clients send the first.
	APIKeys []string `env:"PINFLOW_API_KEYS"`
	// APIKeysFile is a file of further keys, by their SHA-256, which the gateway reads again when it
	// changes.
	APIKeysFile string `env:"PINFLOW_API_KEYS_FILE"`
	// GatewayTLSCertFile and GatewayTLSKeyFile are the gateway's certificate and key, in PEM; without
	// them it serves HTTP.
	GatewayTLSCertFile string `env:"PINFLOW_GATEWAY_TLS_CERT_FILE"`
	GatewayTLSKeyFile  string `env:"PINFLOW_GATEWAY_TLS_KEY_FILE"`
	// GatewayDrainDelay is how long a gateway that is stopped takes requests while its health check
	// fails.
	GatewayDrainDelay time.Duration `env:"PINFLOW_GATEWAY_DRAIN_DELAY" envDefault:"0s"`
	// MySQLDSN is the database with the posts of `starter emulate --mysql`, as
	// user:password@tcp(host:3306)/database.
	MySQLDSN string `env:"PINFLOW_MYSQL_DSN"`
	// WorkerAddress is where the worker serves /healthz and /metrics.
	WorkerAddress string `env:"PINFLOW_WORKER_ADDRESS" envDefault:"127.0.0.1:9464"`
	// WorkerVersioning is whether workers use Temporal's Worker Versioning: a run ends on the build
	// that has started it, and `starter deploy promote` says which build starts new runs.
	WorkerVersioning Switch `env:"PINFLOW_WORKER_VERSIONING" envDefault:"off"`
	// Reports is whether each run that succeeds writes the report of its answers into the bucket, to
	// reports/<dag>/<date>.html. It needs a SQL warehouse.
	Reports Switch `env:"PINFLOW_REPORTS" envDefault:"off"`
	// UIURL is the address of the Temporal Web UI, for links.
	UIURL string `env:"PINFLOW_TEMPORAL_UI_URL" envDefault:"http://127.0.0.1:8233"`
	// Schedules overrides when DAGs run: five fields of cron by the name of the DAG, as in
	// "pinterest-daily=30 2 * * *; weekly=0 3 * * 1".
	Schedules Schedules `env:"PINFLOW_SCHEDULES"`
	// ScheduleTimeZone overrides the time zone of all schedules, by its IANA name.
	ScheduleTimeZone string `env:"PINFLOW_SCHEDULE_TIMEZONE"`
	// StartDates overrides the first date that DAGs are expected to have run: a date for all DAGs,
	// or by the name of the DAG, as in "pinterest-daily=2022-10-01; weekly=2022-10-03".
	StartDates StartDates `env:"PINFLOW_START_DATE"`
	// AlarmHook is the URL to which the worker posts alarms; none if empty. It
	// is a secret: whoever has it can post.
	AlarmHook string `env:"PINFLOW_ALARM_HOOK"`
	// AlarmFormat is the format of the alarms: json or slack; by default that of the hook's host.
	AlarmFormat string `env:"PINFLOW_ALARM_FORMAT"`
	// LogLevel is debug, info, warn or error.
	LogLevel string `env:"PINFLOW_LOG_LEVEL" envDefault:"info"`

	// Stack is the data directory of the embedded stack that LoadOperator found; empty for other
	// systems.
	Stack string `env:"-"`
}

// Switch is a setting that is on or off.
type Switch string

// On reports whether the switch is on.
func (s Switch) On() bool { return s == "on" }

// APIKey returns the key with which clients of this system send records; empty if there is none.
func (c Config) APIKey() string {
	if len(c.APIKeys) == 0 {
		return ""
	}
	_, key := SplitAPIKey(c.APIKeys[0])
	return key
}

var apiKeyName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

// IsAPIKeyName reports whether an API key may have that name.
func IsAPIKeyName(name string) bool { return apiKeyName.MatchString(name) }

// SplitAPIKey splits name=key of PINFLOW_API_KEYS. The name of a key without one is empty.
func SplitAPIKey(text string) (name, key string) {
	text = strings.TrimSpace(text)
	name, key, named := strings.Cut(text, "=")
	if !named || key == "" || !IsAPIKeyName(name) {
		return "", text
	}
	return name, key
}

// Topics returns the names of the topics.
func (c Config) Topics() run.Topics { return run.Topics{UserID: c.UserID, Posts: c.PostsTopic} }

// Topic returns the name of the topic of one kind of record: pin, geo, user or run.Post.
func (c Config) Topic(kind string) string { return c.Topics().Name(kind) }

// topicName is what Kafka takes as the name of a topic.
var topicName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,249}$`)

// RawPath is the root of the landed objects as the notebooks see it.
func (c Config) RawPath() string {
	return "s3://" + c.Bucket + "/" + strings.TrimSuffix(c.Deployment.Folder(), "/")
}

// setDefaults sets what derives from the deployment, so that two deployments that differ in their
// name alone do not write the same tables or push the same notebooks.
func (c *Config) setDefaults() {
	schema := strings.ReplaceAll(string(c.Deployment), "-", "_")
	if c.Deployment == run.DefaultDeployment {
		schema = "pinterest"
	}
	c.Schema = cmp.Or(c.Schema, schema)
	c.Notebooks = cmp.Or(c.Notebooks, "/Shared/"+string(c.Deployment))
}

// defaultStack is the data directory of the embedded stack, unless it is given another one.
const defaultStack = ".local"

// DefaultFiles are read, in this order, if no file is named: the user's own settings, then those of
// a running embedded stack.
var DefaultFiles = []string{".env", filepath.Join(defaultStack, StackFile)}

// Load reads the settings. Variables of the environment come first, then those of the files,
// earlier files before later ones. A named file must exist; the default ones need not.
func Load(files ...string) (Config, error) {
	named := len(files) > 0
	if !named {
		files = DefaultFiles
	}
	for _, file := range files {
		if err := loadFile(file); err != nil && (named || !errors.Is(err, fs.ErrNotExist)) {
			return Config{}, err
		}
	}
	c, err := env.ParseAs[Config]()
	if err != nil {
		return Config{}, fmt.Errorf("settings in the environment (see .env.example): %w", err)
	}
	c.setDefaults()
	return c, c.validate()
}

// validate reports all settings that cannot work, at once and by their names.
func (c Config) validate() error {
	var errs []error
	wrong := func(name, value, want string) {
		errs = append(errs, fmt.Errorf("%s=%q: want %s", name, value, want))
	}
	if err := c.Deployment.Check(); err != nil {
		errs = append(errs, fmt.Errorf("PINFLOW_DEPLOYMENT=%q: %w", c.Deployment, err))
	}
	if c.UserID == "" || strings.ContainsAny(c.UserID, "/+* ") {
		wrong("PINFLOW_USER_ID", c.UserID, "the prefix of the topics, with letters, digits, '.', '_' and '-'")
	}
	if !topicName.MatchString(c.PostsTopic) || strings.Trim(c.PostsTopic, ".") == "" {
		wrong("PINFLOW_POSTS_TOPIC", c.PostsTopic, "the name of a topic, with letters, digits, '.', '_' and '-'")
	}
	for _, kind := range []string{"pin", "geo", "user"} {
		if c.PostsTopic == c.Topic(kind) {
			wrong("PINFLOW_POSTS_TOPIC", c.PostsTopic, "a topic of its own: this is that of "+kind+" records")
		}
	}
	if c.Partitions < 1 {
		wrong("PINFLOW_KAFKA_PARTITIONS", fmt.Sprint(c.Partitions), "1 or more")
	}
	errs = append(errs, c.Kafka.validate())
	if c.Bucket == "" {
		wrong("PINFLOW_BUCKET", c.Bucket, "the name of a bucket")
	}
	if !slices.Contains(notebooks.InvalidFollowers, c.InvalidFollowers) {
		wrong("PINFLOW_INVALID_FOLLOWERS", c.InvalidFollowers, strings.Join(notebooks.InvalidFollowers, " or "))
	}
	if !slices.Contains([]string{"fail", "warn"}, c.LostRecords) {
		wrong("PINFLOW_LOST_RECORDS", c.LostRecords, "fail or warn")
	}
	if !slices.Contains([]Switch{"", "on", "off"}, c.WorkerVersioning) {
		wrong("PINFLOW_WORKER_VERSIONING", string(c.WorkerVersioning), "on or off")
	}
	switch {
	case !slices.Contains([]Switch{"", "on", "off"}, c.Reports):
		wrong("PINFLOW_REPORTS", string(c.Reports), "on or off")
	case c.Reports.On() && c.Warehouse == "":
		errs = append(errs, errors.New("PINFLOW_REPORTS=on needs a SQL warehouse: set PINFLOW_WAREHOUSE_ID to the id of one"))
	}
	if hook, err := url.Parse(c.AlarmHook); c.AlarmHook != "" && (err != nil || hook.Host == "" || hook.Scheme != "http" && hook.Scheme != "https") {
		errs = append(errs, errors.New("PINFLOW_ALARM_HOOK: want a URL, http://… or https://… (its value is not shown, as it is a secret)"))
	}
	if !slices.Contains([]string{"", "json", "slack"}, c.AlarmFormat) {
		wrong("PINFLOW_ALARM_FORMAT", c.AlarmFormat, "json or slack, or nothing: then it is slack for a URL of hooks.slack.com")
	}
	return errors.Join(errs...)
}
