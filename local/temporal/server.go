// Package temporal runs the real Temporal server, and its Web UI, inside this process on SQLite.
package temporal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/common/headers"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/membership/static"
	"go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	"go.temporal.io/server/common/primitives"
	"go.temporal.io/server/common/testing/freeport"
	sqliteschema "go.temporal.io/server/schema/sqlite"
	"go.temporal.io/server/temporal"

	"google.golang.org/protobuf/types/known/durationpb"
)

const loopback = "127.0.0.1"

// Options say where the server listens and what it keeps.
type Options struct {
	// IP and Port are of the frontend, which clients dial.
	IP   string
	Port int
	// DatabaseFile is the SQLite file; empty keeps everything in memory.
	DatabaseFile string
	// Namespaces are made if they are not there.
	Namespaces []string
	// Retention is how long the namespaces keep closed workflows; 0 is the server's default of one day.
	Retention time.Duration
	// SearchAttributes are given to the namespaces when they are made.
	SearchAttributes map[string]enumspb.IndexedValueType
	// DynamicConfig overrides DefaultDynamicConfig by key.
	DynamicConfig dynamicconfig.StaticClient
	// LogFile takes the log; empty is standard error. LogLevel is debug, info, warn, error or fatal.
	LogFile, LogLevel string
}

// DatabaseName is the file name of a database of this server. The server's minor version is part of it, because its schema is not migrated:
// a newer server starts with a new file and leaves the old one untouched.
func DatabaseName() string {
	version := strings.Split(headers.ServerVersion, ".")
	return "temporal-" + strings.Join(version[:2], ".") + ".db"
}

// DefaultDynamicConfig makes one process on SQLite quick. The server's defaults are for a cluster: its queue processors may poll the
// database 20 times a second, which alone costs 50 ms a workflow task. And they keep the tasks that they have done until the next checkpoint,
// 30 s later, and go through all of them whenever a task is added: the busier the server, the slower each workflow.
func DefaultDynamicConfig() dynamicconfig.StaticClient {
	c := dynamicconfig.StaticClient{}
	for key, value := range map[string]any{
		"frontend.enableServerVersionCheck":              false, // asks a server of the vendor's
		"history.transferProcessorMaxPollRPS":            2000,
		"history.timerProcessorMaxPollRPS":               2000,
		"history.visibilityProcessorMaxPollRPS":          2000,
		"history.outboundProcessorMaxPollRPS":            2000,
		"history.transferProcessorUpdateAckInterval":     time.Second,
		"history.timerProcessorUpdateAckInterval":        time.Second,
		"history.visibilityProcessorUpdateAckInterval":   time.Second,
		"history.outboundProcessorUpdateAckInterval":     time.Second,
		"history.hostLevelCacheMaxSize":                  500,
		"matching.numTaskqueueReadPartitions":            1,
		"matching.numTaskqueueWritePartitions":           1,
		"system.namespaceCacheRefreshInterval":           200 * time.Millisecond,
		"system.forceSearchAttributesCacheRefreshOnRead": true, // so that a new search attribute can be used at once
	} {
		c[dynamicconfig.MakeKey(key)] = value
	}
	return c
}

// Server is a running Temporal server.
type Server struct{ server temporal.Server }

// Start starts the server and returns when it takes requests.
func Start(o Options) (*Server, error) {
	sql := o.database()
	if err := o.prepare(sql); err != nil {
		return nil, err
	}
	logger := log.NewZapLogger(log.BuildZapLogger(log.Config{Level: o.LogLevel, OutputFile: o.LogFile}))
	dynamic := DefaultDynamicConfig()
	for key, value := range o.DynamicConfig {
		dynamic[key] = value
	}
	services := o.services()
	server, err := temporal.NewServer(
		temporal.WithConfig(o.config(sql, services)),
		temporal.WithStaticHosts(hosts(services)),
		temporal.ForServices(temporal.DefaultServices),
		temporal.WithLogger(logger),
		temporal.WithAuthorizer(authorization.NewNoopAuthorizer()),
		temporal.WithDynamicConfigClient(dynamic),
	)
	if err != nil {
		return nil, fmt.Errorf("temporal server: %w", err)
	}
	if err := server.Start(); err != nil {
		return nil, fmt.Errorf("temporal server: %w", err)
	}
	return &Server{server}, nil
}

// Stop stops the server. What it has acknowledged is in the database before.
func (s *Server) Stop() error { return s.server.Stop() }

// database configures SQLite: the write-ahead log with synchronous NORMAL loses nothing when the process is killed. The names are those of
// the pragmas: SQLite passes over a pragma that it does not know, and would sync a journal with every transaction.
func (o Options) database() *config.SQL {
	sql := &config.SQL{PluginName: sqlite.PluginName, DatabaseName: o.DatabaseFile, ConnectAttributes: map[string]string{}}
	if o.DatabaseFile == "" {
		sql.DatabaseName = "memory-" + strconv.Itoa(os.Getpid())
		sql.ConnectAttributes["mode"], sql.ConnectAttributes["cache"] = "memory", "shared"
		return sql
	}
	sql.ConnectAttributes["mode"] = "rwc"
	sql.ConnectAttributes["journal_mode"], sql.ConnectAttributes["synchronous"] = "wal", "normal"
	// Nobody else opens the file, so its lock is taken once instead of with every transaction; pages of some ten thousand runs stay in memory.
	sql.ConnectAttributes["locking_mode"], sql.ConnectAttributes["cache_size"] = "exclusive", "-65536" // KiB
	return sql
}

// prepare makes the database, if there is none, and the namespaces.
func (o Options) prepare(sql *config.SQL) error {
	if _, err := os.Stat(o.DatabaseFile); o.DatabaseFile != "" && errors.Is(err, fs.ErrNotExist) {
		if err := createDatabase(o.DatabaseFile); err != nil {
			return fmt.Errorf("database %s: %w", o.DatabaseFile, err)
		}
	}
	var namespaces []*sqliteschema.NamespaceConfig
	for _, name := range o.Namespaces {
		namespace, err := sqliteschema.NewNamespaceConfig("active", name, false, o.SearchAttributes)
		if err != nil {
			return fmt.Errorf("namespace %s: %w", name, err)
		}
		if o.Retention > 0 {
			namespace.Detail.Config.Retention = durationpb.New(o.Retention)
		}
		namespaces = append(namespaces, namespace)
	}
	return sqliteschema.CreateNamespaces(sql, namespaces...)
}

// createDatabase writes the schema under another name first, so that a process that is killed half way leaves no half database.
func createDatabase(file string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	unfinished := file + ".new"
	if err := os.RemoveAll(unfinished); err != nil {
		return err
	}
	if err := sqliteschema.SetupSchema(&config.SQL{
		PluginName: sqlite.PluginName, DatabaseName: unfinished, ConnectAttributes: map[string]string{"mode": "rwc"},
	}); err != nil {
		return err
	}
	return os.Rename(unfinished, file)
}

// config is the server's: one shard, all services in this process, no archival, no metrics, no authorization; loopback only.
func (o Options) config(sql *config.SQL, services map[string]config.Service) *config.Config {
	frontend := o.address()
	disabled := config.ArchivalNamespaceDefaults{
		History:    config.HistoryArchivalNamespaceDefaults{State: "disabled"},
		Visibility: config.VisibilityArchivalNamespaceDefaults{State: "disabled"},
	}
	return &config.Config{
		Persistence: config.Persistence{
			DefaultStore: sqlite.PluginName, VisibilityStore: sqlite.PluginName, NumHistoryShards: 1,
			DataStores: map[string]config.DataStore{sqlite.PluginName: {SQL: sql}},
		},
		ClusterMetadata: &cluster.Config{
			FailoverVersionIncrement: 10, MasterClusterName: "active", CurrentClusterName: "active",
			ClusterInformation: map[string]cluster.ClusterInformation{"active": {Enabled: true, InitialFailoverVersion: 1, RPCAddress: frontend}},
		},
		DCRedirectionPolicy: config.DCRedirectionPolicy{Policy: "noop"},
		Services:            services,
		Archival: config.Archival{
			History: config.HistoryArchival{State: "disabled"}, Visibility: config.VisibilityArchival{State: "disabled"},
		},
		PublicClient:      config.PublicClient{HostPort: frontend},
		NamespaceDefaults: config.NamespaceDefaults{Archival: disabled},
	}
}

func (o Options) address() string { return o.IP + ":" + strconv.Itoa(o.Port) }

// services are the server's four, all in this process. Only the frontend's port matters to others.
func (o Options) services() map[string]config.Service {
	internal := func() config.Service {
		return config.Service{RPC: config.RPC{GRPCPort: freeport.MustGetFreePort(), BindOnLocalHost: true}}
	}
	return map[string]config.Service{
		"frontend": {RPC: config.RPC{GRPCPort: o.Port, BindOnIP: o.IP}},
		"history":  internal(), "matching": internal(), "worker": internal(),
	}
}

// hosts says that each service has one host, in place of the gossip by which a cluster's hosts find each other. After a restart the gossip
// waits for the hosts of the last process, which are still in the database: the server's own workers then start a minute late.
func hosts(services map[string]config.Service) map[primitives.ServiceName]static.Hosts {
	all := map[primitives.ServiceName]static.Hosts{}
	for name, service := range services {
		all[primitives.ServiceName(name)] = static.SingleLocalHost(loopback + ":" + strconv.Itoa(service.RPC.GRPCPort))
	}
	return all
}
