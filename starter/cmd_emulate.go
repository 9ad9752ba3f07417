package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pinflow/pinflow/internal/clients/fault"
	"github.com/pinflow/pinflow/internal/posts"
	"github.com/pinflow/pinflow/starter/cli"
	"github.com/pinflow/pinflow/starter/demo"
	"github.com/pinflow/pinflow/starter/exit"
)

// emulateOptions is the command line of `starter emulate`.
type emulateOptions struct {
	dir    string // of JSON lines
	mysql  bool
	count  int
	rate   float64
	batch  int
	resume bool
	data   string
}

// maxBatch is the maximum number of records that the gateway takes in a request.
const maxBatch = 10_000

func (a *app) emulateCommand() *cobra.Command {
	var o emulateOptions
	c := &cobra.Command{
		Use:   "emulate",
		Short: "Post records through the gateway, as users do",
		Long: "Emulate posts pin, geo and user records to the three topics, through the gateway.\n\n" +
			"The posts come from the built-in generator (the same ones each time), from files of JSON lines (--posts), or from the tables\n" +
			"pinterest_data, geolocation_data and user_data of a MySQL or MariaDB database (--mysql). Rows of the tables are drawn in a fixed order,\n" +
			"some of them repeatedly.\n\n" +
			"Each record arrives at least once, and the records of a post in their order. After an interruption --resume continues where it ended.",
		Example: "  starter emulate --count 2000\n  starter emulate --posts ./posts --resume\n  starter emulate --rate 2 --count 100000",
		GroupID: groupSystems,
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return a.emulate(c, o) },
	}
	f := c.Flags()
	f.StringVar(&o.dir, "posts", "", "`directory` with pin.jsonl, geo.jsonl and user.jsonl to post")
	f.BoolVar(&o.mysql, "mysql", false, "rows of the database PINFLOW_MYSQL_DSN")
	f.IntVar(&o.count, "count", 0, fmt.Sprintf("total number of `posts`, with those before --resume (default all of --posts, else %d)", demo.Posts))
	f.Float64Var(&o.rate, "rate", 0, "`posts` per second (default as fast as the gateway takes them)")
	f.IntVar(&o.batch, "batch", posts.DefaultBatch, "maximum number of `records` in a request")
	f.BoolVar(&o.resume, "resume", false, "continue after the last record that the gateway has acknowledged")
	f.StringVar(&o.data, "data", "", "`directory` of the checkpoints (default that of the embedded stack, else .local)")
	c.MarkFlagsMutuallyExclusive("posts", "mysql")
	return cli.Annotate(prints(c, formTable, formJSON), cli.AllDAGs, "true")
}

// check returns all mistakes in the flags and settings.
func (o emulateOptions) check(keys []string) error {
	var errs []error
	if o.count < 0 {
		errs = append(errs, exit.Usagef("--count %d: want 1 or more", o.count))
	}
	if o.rate < 0 {
		errs = append(errs, exit.Usagef("--rate %g: want more than 0", o.rate))
	}
	if o.batch < 1 || o.batch > maxBatch {
		errs = append(errs, exit.Usagef("--batch %d: want 1 to %d", o.batch, maxBatch))
	}
	if len(keys) == 0 {
		errs = append(errs, exit.Usagef("PINFLOW_API_KEYS is empty: set it to a key of the gateway"))
	}
	return errors.Join(errs...)
}

// emulate opens the source, posts, and prints what was posted.
func (a *app) emulate(c *cobra.Command, o emulateOptions) error {
	if err := o.check(a.settings.APIKeys); err != nil {
		return err
	}
	source, err := a.openPosts(c.Context(), o)
	if err != nil {
		return err
	}
	if o.count == 0 && source.Posts() == 0 {
		o.count = demo.Posts
	}
	report, end := a.view.Posting()
	result, err := posts.Emit(c.Context(), posts.EmitInput{
		Source: source,
		URL:    strings.TrimSuffix(a.settings.GatewayURL, "/"), APIKey: a.settings.APIKey(), Topic: a.settings.Topic,
		Posts: o.count, Rate: o.rate, Batch: o.batch, Resume: o.resume, Progress: report, Patience: a.patience,
		Checkpoints: filepath.Join(cmp.Or(o.data, a.settings.Stack, ".local"), "checkpoints"),
	})
	end()
	switch {
	case errors.Is(err, posts.ErrUnreachable):
		return &fault.Error{
			Kind: fault.Unreachable, What: "cannot reach the gateway at " + a.settings.GatewayURL,
			Next: "check its /healthz, or set PINFLOW_GATEWAY_URL; then continue with --resume", Err: err,
		}
	case c.Context().Err() != nil:
		return fmt.Errorf("stopped after %d records (%w): continue with --resume", result.Total(), err)
	case err != nil:
		return err
	}
	return a.print(c, struct {
		posts.EmitResult
		Source  string  `json:"source"`
		Seconds float64 `json:"seconds"`
	}{result, source.Name(), result.Duration.Seconds()}, func() { a.view.Emulation(source, result) })
}

// openPosts returns the source that the flags name. Mistakes in it are found before anything is
// posted.
func (a *app) openPosts(ctx context.Context, o emulateOptions) (posts.Source, error) {
	switch {
	case o.dir != "":
		source, err := posts.OpenJSONLines(o.dir)
		if err != nil {
			return nil, exit.Usagef("--posts: %w", err)
		}
		return source, nil
	case o.mysql && a.settings.MySQLDSN == "":
		return nil, exit.Usagef("--mysql: set PINFLOW_MYSQL_DSN to user:password@tcp(host:3306)/database")
	case o.mysql:
		source, err := posts.OpenMySQL(ctx, a.settings.MySQLDSN)
		if errors.Is(err, posts.ErrUnreachable) {
			return nil, &fault.Error{Kind: fault.Unreachable, What: "cannot reach the database of the posts", Next: "check PINFLOW_MYSQL_DSN and that the server is running", Err: err}
		}
		return source, err
	}
	return posts.NewGenerator(), nil
}
