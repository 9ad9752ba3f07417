// Command vulncheck runs govulncheck and judges what it finds: vulnerabilities that the code calls
// fail, unless the file of accepted ones argues them.
//
//	vulncheck -govulncheck PROGRAM -accepted FILE [-scan symbol] DIRECTORY
//
// The database is that of GOVULNDB, by default https://vuln.go.dev. Where it cannot be reached nothing
// is checked: then the program says so, and succeeds unless PINFLOW_REQUIRE_VULNDB=1.
package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"time"
)

const (
	database = "https://vuln.go.dev"
	// reachTimeout limits the request that tells whether the database can be reached.
	reachTimeout = 30 * time.Second
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	program := flag.String("govulncheck", "govulncheck", "the program")
	accepted := flag.String("accepted", "", "the file of accepted vulnerabilities")
	scan := flag.String("scan", "symbol", "symbol, package or module: see govulncheck")
	flag.Parse()
	o := options{program: *program, accepted: *accepted, scan: *scan, dir: flag.Arg(0), database: cmp.Or(os.Getenv("GOVULNDB"), database), today: time.Now()}
	err := o.check(ctx, os.Stdout)
	var unreachable *unreachableError
	switch {
	case errors.As(err, &unreachable) && os.Getenv("PINFLOW_REQUIRE_VULNDB") != "1":
		fmt.Fprintf(os.Stderr, "vulncheck: NOT CHECKED: %v\n", err)
	case err != nil:
		fmt.Fprintf(os.Stderr, "vulncheck: %v\n", err)
		os.Exit(1)
	}
}

type options struct {
	program, accepted, scan, dir, database string
	today                                  time.Time
}

// unreachableError is the error of a database that cannot be reached.
type unreachableError struct {
	database string
	err      error
}

func (e *unreachableError) Error() string {
	return fmt.Sprintf("the vulnerability database %s cannot be reached (%v): run it where it can, or name a mirror in GOVULNDB", e.database, e.err)
}

// check runs govulncheck on all packages of the module in the directory.
func (o options) check(ctx context.Context, out io.Writer) error {
	arguments, err := readAccepted(o.accepted)
	if err != nil {
		return err
	}
	if err := reach(ctx, o.database); err != nil {
		return &unreachableError{o.database, err}
	}
	cmd := exec.CommandContext(ctx, o.program, "-db", o.database, "-scan", o.scan, "-format", "json", "./...") //nolint:gosec // the tool of scripts/vulncheck
	var found, said bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = o.dir, &found, &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("govulncheck in %s: %w\n%s", o.dir, err, said.String())
	}
	findings, err := parse(&found)
	if err != nil {
		return fmt.Errorf("govulncheck in %s: %w", o.dir, err)
	}
	return judge(out, o.scan, findings, arguments, o.today)
}

// reach asks for the description of the database.
func reach(ctx context.Context, database string) error {
	if path, ok := strings.CutPrefix(database, "file://"); ok {
		_, err := os.Stat(path)
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(database, "/")+"/index/db.json", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	return nil
}
