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

// Options configures the server.
type Options struct {
	// IP and Port are those of the frontend, to which clients connect.
	IP   string
	Port int
	// DatabaseFile is the SQLite file; empty keeps everything in memory.
	DatabaseFile string
	// Namespaces holds the namespaces to create.
	Namespaces []string
	// Retention is the retention of the namespaces; the server's default of one day by default.
	Retention time.Duration
	// SearchAttributes holds the search attributes of new namespaces.
	SearchAttributes map[string]enumspb.IndexedValueType
	// DynamicConfig overrides DefaultDynamicConfig by key.
	DynamicConfig dynamicconfig.StaticClient
	// LogFile is the file of the log; standard error by default. LogLevel is debug, info, warn,
	// error or fatal.
	LogFile, LogLevel string
}

// DatabaseName is the file name of the server's database. It contains the server's minor version,
// because the schema is not migrated: a newer server creates a new file and leaves the old one
// untouched.
func DatabaseName() string {
	version := strings.Split(headers.ServerVersion, ".")
	return "temporal-" + strings.Join(version[:2], ".") + ".db"
}

// DefaultDynamicConfig makes the server fast in one process on SQLite. The defaults are for a
// cluster: queue processors poll the database at most 20 times a second, which adds 50 ms to each
// workflow task. They also keep completed tasks until the next checkpoint, 30 s later, and iterate
// over them for each new task, so that a busy server becomes slow.
func DefaultDynamicConfig() dynamicconfig.StaticClient {
	c := dynamicconfig.StaticClient{}
	for key, value := range map[string]any{
		"frontend.enableServerVersionCheck":                      false, // would contact a server of the vendor
		"history.transferProcessorMaxPollRPS":                    2000,
		"history.timerProcessorMaxPollRPS":                       2000,
		"history.visibilityProcessorMaxPollRPS":                  2000,
		"history.outboundProcessorMaxPollRPS":                    2000,
		"history.transferProcessorUpdateAckInterval":             time.Second,
		"history.timerProcessorUpdateAckInterval":                time.Second,
		"history.visibilityProcessorUpdateAckInterval":           time.Second,
		"history.outboundProcessorUpdateAckInterval":             time.Second,
		"history.hostLevelCacheMaxSize":                          500,
		"matching.numTaskqueueReadPartitions":                    1,
		"matching.numTaskqueueWritePartitions":                   1,
		"matching.wv.VersionDrainageStatusVisibilityGracePeriod": 2 * time.Second, // SQLite's visibility is never late
		"matching.wv.VersionDrainageStatusRefreshInterval":       10 * time.Second,
		"system.namespaceCacheRefreshInterval":                   200 * time.Millisecond,
		"system.forceSearchAttributesCacheRefreshOnRead":         true, // new search attributes are usable at once
	} {
		c[dynamicconfig.MakeKey(key)] = value
	}
	return c
}

// Server is a running Temporal server.
type Server struct{ server temporal.Server }

// Start starts the server and returns when it accepts requests.
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

// Stop stops the server. Everything that it has acknowledged is in the database.
func (s *Server) Stop() error { return s.server.Stop() }

// database configures SQLite: the write-ahead log with synchronous NORMAL loses nothing when the
// process is killed. SQLite ignores unknown pragmas, so a wrong name here would sync a journal in
// every transaction.
func (o Options) database() *config.SQL {
	sql := &config.SQL{PluginName: sqlite.PluginName, DatabaseName: o.DatabaseFile, ConnectAttributes: map[string]string{}}
	if o.DatabaseFile == "" {
		sql.DatabaseName = "memory-" + strconv.Itoa(os.Getpid())
		sql.ConnectAttributes["mode"], sql.ConnectAttributes["cache"] = "memory", "shared"
		return sql
	}
	sql.ConnectAttributes["mode"] = "rwc"
	sql.ConnectAttributes["journal_mode"], sql.ConnectAttributes["synchronous"] = "wal", "normal"
	// No other process opens the file, so that it is locked once instead of in every transaction.
	// The cache holds the pages of some ten thousand runs.
	sql.ConnectAttributes["locking_mode"], sql.ConnectAttributes["cache_size"] = "exclusive", "-65536" // KiB
	return sql
}

// prepare creates the database and the namespaces if they do not exist.
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

// createDatabase creates the schema under another name first, so that a killed process leaves no
// incomplete database.
func createDatabase(file string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
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

// config returns the configuration of the server: one shard, all services in this process, no
// archival, no metrics, no authorization; loopback only.
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

// services returns the server's four services. Only the port of the frontend is for clients.
func (o Options) services() map[string]config.Service {
	internal := func() config.Service {
		return config.Service{RPC: config.RPC{GRPCPort: freeport.MustGetFreePort(), BindOnLocalHost: true}}
	}
	return map[string]config.Service{
		"frontend": {RPC: config.RPC{GRPCPort: o.Port, BindOnIP: o.IP}},
		"history":  internal(), "matching": internal(), "worker": internal(),
	}
}

// hosts replaces the gossip between the hosts of a cluster: each service has one host. After a
// restart the gossip would wait for the hosts of the last process, which are still in the database,
// and the server's own workers would start a minute late.
func hosts(services map[string]config.Service) map[primitives.ServiceName]static.Hosts {
	all := map[primitives.ServiceName]static.Hosts{}
	for name, service := range services {
		all[primitives.ServiceName(name)] = static.SingleLocalHost(loopback + ":" + strconv.Itoa(service.RPC.GRPCPort))
	}
	return all
}
