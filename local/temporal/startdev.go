package temporal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/server/common/dynamicconfig"
)

// NewServerCommand returns `server start-dev` with the arguments of the Temporal CLI that test
// suites and scripts use, so that this program can replace the Temporal CLI, for example in the Go
// SDK's testsuite.StartDevServer. run gets the options and must block until the server is to stop.
func NewServerCommand(run func(cmd *cobra.Command, o Options, ui *UIOptions) error) *cobra.Command {
	var (
		o                            = Options{LogLevel: "error"}
		uiIP, logFormat              string
		uiPort                       int
		headless                     bool
		attributes, dynamic, pragmas []string
	)
	start := &cobra.Command{
		Use:   "start-dev",
		Short: "Run a Temporal server, with the Temporal CLI's arguments; in memory if no --db-filename is given",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var errAttributes, errDynamic error
			o.SearchAttributes, errAttributes = parseSearchAttributes(attributes)
			o.DynamicConfig, errDynamic = parseDynamicConfig(dynamic)
			if err := errors.Join(errAttributes, errDynamic); err != nil {
				return err
			}
			if o.LogLevel == "never" {
				o.LogLevel = "fatal"
			}
			if headless {
				return run(cmd, o, nil)
			}
			if uiPort == 0 {
				uiPort = o.Port + 1000 // as the Temporal CLI does
			}
			if uiIP == "" {
				uiIP = o.IP
			}
			return run(cmd, o, &UIOptions{IP: uiIP, Port: uiPort, Frontend: o.address(), Namespace: o.Namespaces[0]})
		},
	}
	flags := start.Flags()
	flags.StringVar(&o.IP, "ip", loopback, "address of the frontend")
	flags.IntVarP(&o.Port, "port", "p", 7233, "port of the frontend")
	flags.StringVarP(&o.DatabaseFile, "db-filename", "f", "", "SQLite file; in memory without")
	flags.StringSliceVarP(&o.Namespaces, "namespace", "n", []string{"default"}, "namespaces to make")
	flags.StringVar(&o.LogLevel, "log-level", o.LogLevel, "debug, info, warn, error or never")
	flags.StringVar(&logFormat, "log-format", "json", "accepted; the log is always JSON")
	flags.BoolVar(&headless, "headless", false, "without the Web UI")
	flags.StringVar(&uiIP, "ui-ip", "", "address of the Web UI; --ip by default")
	flags.IntVar(&uiPort, "ui-port", 0, "port of the Web UI; --port + 1000 by default")
	flags.StringArrayVar(&attributes, "search-attribute", nil, "NAME=TYPE, as in PinflowDag=Keyword")
	flags.StringArrayVar(&dynamic, "dynamic-config-value", nil, "KEY=JSON")
	flags.StringArrayVar(&pragmas, "sqlite-pragma", nil, "accepted; the server sets its own")

	server := &cobra.Command{Use: "server", Short: "Temporal's server alone, for test suites"}
	server.AddCommand(start)
	return server
}

func parseSearchAttributes(pairs []string) (map[string]enumspb.IndexedValueType, error) {
	attributes := map[string]enumspb.IndexedValueType{}
	var errs []error
	for _, pair := range pairs {
		name, kind, ok := strings.Cut(pair, "=")
		value, err := enumspb.IndexedValueTypeFromString(kind)
		if !ok || name == "" || err != nil {
			errs = append(errs, fmt.Errorf("--search-attribute %q: want NAME=TYPE with a type like Keyword, Text, Int, Double, Bool, Datetime or KeywordList", pair))
			continue
		}
		attributes[name] = value
	}
	return attributes, errors.Join(errs...)
}

// parseDynamicConfig parses KEY=JSON. Whole numbers become int, the only type that the server
// accepts for integer settings.
func parseDynamicConfig(pairs []string) (dynamicconfig.StaticClient, error) {
	settings := dynamicconfig.StaticClient{}
	var errs []error
	for _, pair := range pairs {
		key, text, ok := strings.Cut(pair, "=")
		value, err := dynamicValue(text)
		if !ok || key == "" || err != nil {
			errs = append(errs, fmt.Errorf("--dynamic-config-value %q: want KEY=VALUE with a value in JSON", pair))
			continue
		}
		settings[dynamicconfig.MakeKey(key)] = value
	}
	return settings, errors.Join(errs...)
}

func dynamicValue(text string) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	number, ok := value.(json.Number)
	if !ok {
		return value, nil
	}
	if whole, err := number.Int64(); err == nil {
		return int(whole), nil
	}
	return number.Float64()
}
