// Package stack runs the embedded stack: Temporal and its Web UI, Kafka, S3, Kinesis and the
// workspace, on loopback, with their state in one directory.
package stack

import (
	"errors"
	"fmt"
	"net"
	"strconv"

	"github.com/spf13/pflag"

	"github.com/pinflow/pinflow/internal/config"
)

const loopback = "127.0.0.1"

// Ports holds the ports of the parts on 127.0.0.1.
type Ports struct {
	Temporal, UI, Kafka, S3, Kinesis, Workspace int
	// KafkaAdvertised is the port of Kafka that clients are told, as of a proxy before it; 0 is its own.
	KafkaAdvertised int
	// Offset is added to the default of each port that is not set.
	Offset int
}

// part is a part of the stack that listens on a port.
type part struct {
	name   string
	option string // the flag that sets its port
	env    string // the variable that sets it
	port   int    // the default
	set    *int
}

func (p *Ports) parts() []part {
	return []part{
		{"Temporal", "--temporal-port", "PINFLOW_TEMPORAL_PORT", 7233, &p.Temporal},
		{"Temporal Web UI", "--ui-port", "PINFLOW_UI_PORT", 8233, &p.UI},
		{"Kafka", "--kafka-port", "PINFLOW_KAFKA_PORT", 9092, &p.Kafka},
		{"S3", "--s3-port", "PINFLOW_S3_PORT", 9000, &p.S3},
		{"Kinesis", "--kinesis-port", "PINFLOW_KINESIS_PORT", 4567, &p.Kinesis},
		{"workspace", "--workspace-port", "PINFLOW_WORKSPACE_PORT", 8090, &p.Workspace},
	}
}

// BusyError is the error of ports that other programs use.
type BusyError struct{ errs []error }

func (e *BusyError) Error() string { return errors.Join(e.errs...).Error() }

// check returns a BusyError with all ports that are in use. Without it a part would fail less
// clearly, and after others have started.
func (p *Ports) check() error {
	var busy []error
	for _, part := range p.parts() {
		l, err := net.Listen("tcp", address(*part.set))
		if err != nil {
			busy = append(busy, fmt.Errorf("port %d of %s is in use by another program: end that, or choose another with %s (or %s), or all with --port-offset",
				*part.set, part.name, part.option, part.env))
			continue
		}
		if err := l.Close(); err != nil {
			return err
		}
	}
	if len(busy) > 0 {
		return &BusyError{busy}
	}
	return nil
}

func address(port int) string { return net.JoinHostPort(loopback, strconv.Itoa(port)) }

// Flags adds a flag for each port. Call Resolve after parsing.
func (p *Ports) Flags(flags *pflag.FlagSet) {
	for _, part := range p.parts() {
		flags.IntVar(part.set, part.option[len("--"):], 0, fmt.Sprintf("port of %s (default %d, or %s)", part.name, part.port, part.env))
	}
	flags.IntVar(&p.KafkaAdvertised, "kafka-advertised-port", 0, "port that Kafka gives to its clients, as of a proxy before it (default that of Kafka)")
	flags.IntVar(&p.Offset, "port-offset", 0, "added to every default port, of the gateway and the worker too")
}

// Resolve sets each port without a flag to its environment variable, or to its default with the
// offset.
func (p *Ports) Resolve(getenv func(string) string) error {
	if err := config.CheckPortOffset(p.Offset); err != nil {
		return fmt.Errorf("--port-offset %w", err)
	}
	var errs []error
	for _, part := range p.parts() {
		if text := getenv(part.env); *part.set == 0 && text != "" {
			port, err := strconv.Atoi(text)
			if err != nil {
				errs = append(errs, fmt.Errorf("%s=%q: want a port, 1 to 65535", part.env, text))
				continue
			}
			*part.set = port
		}
		if *part.set == 0 {
			*part.set = part.port + p.Offset
		}
		if *part.set < 1 || *part.set > 65535 {
			errs = append(errs, fmt.Errorf("%s: port %d: want 1 to 65535", part.name, *part.set))
		}
	}
	return errors.Join(errs...)
}
