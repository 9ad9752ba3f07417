// Package ports looks after the TCP ports of the embedded stack. All parts listen on loopback only.
package ports

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Host is where the stack listens: loopback, because it has well-known secrets.
const Host = "127.0.0.1"

// Port is a port of one part of the stack.
type Port struct {
	// Part is the part's name, for messages.
	Part string
	// Flag and Env are the option and the variable of the environment that set it. Without them the port moves with the offset only.
	Flag, Env string
	// Number is the port.
	Number int
}

// Address is the port's address, host:port.
func (p Port) Address() string { return net.JoinHostPort(Host, strconv.Itoa(p.Number)) }

// advice tells how to get another port.
func (p Port) advice() string {
	if p.Flag == "" {
		return "choose another with --port-offset"
	}
	return fmt.Sprintf("choose another with --%s or %s, or move all of them with --port-offset", p.Flag, p.Env)
}

// Validate reports all ports that cannot be, or that two parts would share.
func Validate(all []Port) error {
	var errs []error
	owner := map[int]Port{}
	for _, p := range all {
		switch first, taken := owner[p.Number]; {
		case p.Number < 1 || p.Number > 65535:
			errs = append(errs, fmt.Errorf("port %d of %s: a port is between 1 and 65535: %s", p.Number, p.Part, p.advice()))
		case taken:
			errs = append(errs, fmt.Errorf("port %d is meant for %s and for %s: %s", p.Number, first.Part, p.Part, p.advice()))
		default:
			owner[p.Number] = p
		}
	}
	return errors.Join(errs...)
}

// CheckFree reports all ports that something else listens on.
func CheckFree(all []Port) error {
	var errs []error
	for _, p := range all {
		if err := tryListen(p.Address()); err != nil {
			errs = append(errs, fmt.Errorf("port %d of %s is not free: stop what uses it, or %s (%w)", p.Number, p.Part, p.advice(), err))
		}
	}
	return errors.Join(errs...)
}

func tryListen(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	return l.Close()
}

// Internal ports lie below the range from which systems give out ports to outgoing connections (32768 and up on Linux, 49152 on others):
// a port of that range may be gone between the moment it is found and the moment it is used.
const (
	internalFirst = 20000
	internalLast  = 29999
)

// Internal finds n free ports on host for listeners that only this process talks to.
func Internal(host string, n int) ([]int, error) {
	var found []int
	for _, i := range rand.Perm(internalLast - internalFirst + 1) {
		if len(found) == n {
			return found, nil
		}
		port := internalFirst + i
		if tryListen(net.JoinHostPort(host, strconv.Itoa(port))) == nil {
			found = append(found, port)
		}
	}
	return nil, fmt.Errorf("found only %d of %d free ports between %d and %d on %s", len(found), n, internalFirst, internalLast, host)
}
