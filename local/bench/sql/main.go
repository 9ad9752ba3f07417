// Command sql measures the notebooks on days of many posts: the engine of the workspace against Spark
// with Delta Lake, and both against DuckDB that only reads the landed objects and parses them.
// docs/benchmarks.md says what each number is.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
)

// options are the flags.
type options struct {
	posts   []int
	engines []string
	dir     string // of the landed objects; they are kept if it is given
	spark   string // home of the installation
	memory  string // limit of the workspace's engine; its default if empty
	threads int
	out     string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if child := os.Getenv(childVariable); child != "" {
		exit(measureHere(ctx, child, os.Stdout))
	}
	o, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		os.Exit(2)
	}
	if err == nil {
		err = run(ctx, o)
	}
	exit(err)
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func parse(args []string) (options, error) {
	o := options{spark: os.Getenv("PINFLOW_SPARK")}
	flags := flag.NewFlagSet("sql", flag.ContinueOnError)
	posts := flags.String("posts", "1000000", "posts a topic; several sizes with commas between them")
	engines := flags.String("engines", "bare,duckdb,spark", "what is measured: bare, duckdb and spark")
	flags.StringVar(&o.dir, "dir", "", "keep the landed objects in this directory, for the next time")
	flags.StringVar(&o.memory, "memory", "", "memory limit of the workspace's engine, as in 1GB; its default if empty")
	flags.IntVar(&o.threads, "threads", 2, "threads of each engine")
	flags.StringVar(&o.out, "out", "", "write the table to this file, too")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	o.engines = strings.Split(*engines, ",")
	for _, text := range strings.Split(*posts, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return o, fmt.Errorf("--posts %s: want numbers, as in 100000,1000000", *posts)
		}
		o.posts = append(o.posts, n)
	}
	for _, name := range o.engines {
		switch {
		case name != "bare" && name != "duckdb" && name != "spark":
			return o, fmt.Errorf("--engines %s: want bare, duckdb or spark", name)
		case name == "spark" && o.spark == "":
			return o, errors.New("PINFLOW_SPARK is not set: `make bench-sql` sets it, or leave spark out of --engines")
		}
	}
	return o, nil
}

func run(ctx context.Context, o options) error {
	dir, keep := o.dir, o.dir != ""
	if !keep {
		var err error
		if dir, err = os.MkdirTemp("", "pinflow-bench-sql-"); err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(dir) }() // a directory for temporary files
	}
	var all []measured
	for _, posts := range o.posts {
		landed, err := land(dir, posts, !keep)
		if err != nil {
			return err
		}
		for _, engine := range o.engines {
			found, err := measureApart(ctx, job{
				Engine: engine, Posts: posts, Objects: landed, Memory: o.memory, Threads: o.threads, Spark: o.spark,
			})
			if err != nil {
				return fmt.Errorf("%s with %d posts a topic: %w", engine, posts, err)
			}
			all = append(all, found...)
		}
		if !keep {
			if err := os.RemoveAll(landed); err != nil {
				return err
			}
		}
	}
	text := table(all)
	fmt.Print("\n", text)
	if o.out != "" {
		return os.WriteFile(o.out, []byte(text), 0o644)
	}
	return nil
}
