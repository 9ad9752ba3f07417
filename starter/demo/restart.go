package demo

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/pinflow/pinflow/starter/exit"
)

const (
	// restartPause is the pause before a service is restarted. It doubles each time that the service
	// ends soon after its start.
	restartPause = time.Second
	// maxQuick is how often in a row a service may end soon after its start; then the demo ends. ECS
	// gives up a deployment in the same way.
	maxQuick = 5
	// steady is how long a service has to run for its next restart to be the first in a row.
	steady = 30 * time.Second
)

// errEnding is the error of a start while the demo ends.
var errEnding = errors.New("the demo is ending")

// isEnding reports whether the demo ends.
func (p *processes) isEnding() bool {
	select {
	case <-p.ending:
		return true
	default:
		return false
	}
}

// serve starts a program that is restarted when it ends, as ECS restarts the task of a service. It
// is lost if it rejects its settings, which no restart changes, and if it keeps ending.
func (p *processes) serve(name string) error {
	return p.launch(&process{name: name, service: true}, os.O_TRUNC)
}

// restart starts a service again after a pause. It returns false if the service is lost.
func (p *processes) restart(ended *process, reason error) bool {
	if ended.cmd.ProcessState.ExitCode() == exit.Usage {
		return false
	}
	quick := 1
	if time.Since(ended.began) < steady {
		quick = ended.quick + 1
	}
	if quick > maxQuick {
		return false
	}
	pause := p.pause << (quick - 1)
	p.report("%s ended (%v); restarting it in %s. Its log: %s", ended.name, reason, pause, ended.log)
	select {
	case <-time.After(pause):
	case <-p.ending:
		return true
	}
	p.mu.Lock()
	p.all = slices.DeleteFunc(p.all, func(each *process) bool { return each == ended })
	p.mu.Unlock()
	err := p.launch(&process{name: ended.name, args: ended.args, service: true, quick: quick}, os.O_APPEND)
	if err == nil {
		p.report("%s was restarted", ended.name)
	}
	return err == nil || errors.Is(err, errEnding)
}

// restarts holds what was said of programs that ended and were restarted.
type restarts struct {
	mu   sync.Mutex
	said []string
}

// reportRestart says that a program has ended or was restarted.
func (d *demo) reportRestart(format string, args ...any) {
	d.Log(format, args...)
	d.restarts.mu.Lock()
	defer d.restarts.mu.Unlock()
	d.restarts.said = append(d.restarts.said, fmt.Sprintf(format, args...))
}

// showRestarts repeats what reportRestart has said while the picture of the running DAG was drawn
// over it.
func (d *demo) showRestarts() {
	d.restarts.mu.Lock()
	defer d.restarts.mu.Unlock()
	for _, line := range d.restarts.said {
		if d.Live {
			d.Log("%s", line)
		}
	}
	d.restarts.said = nil
}
