package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pinflow/pinflow/internal/clients/fault"
	"github.com/pinflow/pinflow/internal/posts"
)

// dayOfPosts is how many posts are made unless told otherwise: a day of them, on a good day.
const dayOfPosts = 5_000

// emulateOptions are the flags of `starter emulate`.
type emulateOptions struct {
	dir    string // of JSON lines
	mysql  bool
	count  int
	rate   float64
	batch  int
	resume bool
	data   string
}

func (a *app) emulateCommand() *cobra.Command {
	var o emulateOptions
	c := &cobra.Command{
		Use:   "emulate",
		Short: "Post like the site's users do, through the gateway",
		Long: "Emulate posts pins, where they were made and by whom to the three topics, through the gateway.\n\n" +
			"The posts come from the built-in generator (the same ones each time), from files of JSON lines (--posts), or from the tables\n" +
			"pinterest_data, geolocation_data and user_data of a MySQL or MariaDB database (--mysql). Rows of the tables are drawn in one order each time,\n" +
			"some of them again and again.\n\n" +
			"Every record arrives at least once, and those of one post in their order. After an interruption --resume goes on where it ended.",
		Example: "  starter emulate --count 2000\n  starter emulate --posts ./posts --resume\n  starter emulate --rate 2 --count 100000",
		GroupID: groupSystems,
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return a.emulate(c, o) },
	}
	f := c.Flags()
	f.StringVar(&o.dir, "posts", "", "post the lines of `dir`/pin.jsonl, geo.jsonl and user.jsonl as they stand")
	f.BoolVar(&o.mysql, "mysql", false, "post rows of the database PINFLOW_MYSQL_DSN")
	f.IntVar(&o.count, "count", 0, fmt.Sprintf("`posts` in all, those before --resume included (default: all lines of --posts, else %d)", dayOfPosts))
	f.Float64Var(&o.rate, "rate", 0, "`posts` a second (default: as fast as the gateway takes them)")
	f.IntVar(&o.batch, "batch", posts.DefaultBatch, "most `records` in a request")
	f.BoolVar(&o.resume, "resume", false, "go on after the last record that the gateway has acknowledged")
	f.StringVar(&o.data, "data", ".local", "`dir` of the state: how far the emulation is")
	c.MarkFlagsMutuallyExclusive("posts", "mysql")
	return prints(c, formTable, formJSON)
}

// check reports all flags and settings that cannot work.
func (o emulateOptions) check(keys []string) error {
	var errs []error
	if o.count < 0 {
		errs = append(errs, fmt.Errorf("--count %d: want 1 or more", o.count))
	}
	if o.rate < 0 {
		errs = append(errs, fmt.Errorf("--rate %g: want more than 0", o.rate))
	}
	if o.batch < 1 || o.batch > 10_000 {
		errs = append(errs, fmt.Errorf("--batch %d: want 1 to 10000, the gateway takes no more", o.batch))
	}
	if len(keys) == 0 {
		errs = append(errs, errors.New("PINFLOW_API_KEYS is empty: set it to a key of the gateway"))
	}
	if err := errors.Join(errs...); err != nil {
		return &usageError{err}
	}
	return nil
}

// emulate opens the source, posts, and shows what was posted.
func (a *app) emulate(c *cobra.Command, o emulateOptions) error {
	if err := o.check(a.settings.APIKeys); err != nil {
		return err
	}
	source, err := a.openPosts(c.Context(), o)
	if err != nil {
		return err
	}
	if o.count == 0 && source.Posts() == 0 {
		o.count = dayOfPosts
	}
	var bar *progress
	result, err := posts.Emit(c.Context(), posts.EmitInput{
		Source: source,
		URL:    strings.TrimSuffix(a.settings.GatewayURL, "/"), APIKey: a.settings.APIKeys[0], Topic: a.settings.Topic,
		Posts: o.count, Rate: o.rate, Batch: o.batch, Resume: o.resume, Checkpoints: filepath.Join(o.data, "checkpoints"),
		Log: slog.New(slog.NewTextHandler(a.stderr, nil)),
		Progress: func(p posts.EmitProgress) {
			if bar == nil {
				bar = a.startProgress("posting", int64(p.Total))
			}
			bar.set(int64(p.Done), "")
		},
	})
	if bar != nil {
		bar.end()
	}
	switch {
	case errors.Is(err, posts.ErrUnreachable):
		return &fault.Error{Kind: fault.Unreachable, What: "cannot reach the gateway at " + a.settings.GatewayURL, Next: "check its /healthz, or set PINFLOW_GATEWAY_URL; then continue with --resume", Err: err}
	case c.Context().Err() != nil:
		return fmt.Errorf("stopped after %d records (%w): go on with --resume", result.Total(), err)
	case err != nil:
		return err
	}
	if a.form(c) == formJSON {
		return a.printJSON(struct {
			posts.EmitResult
			Source  string  `json:"source"`
			Seconds float64 `json:"seconds"`
		}{result, source.Name(), result.Duration.Seconds()})
	}
	a.showEmulation(source, result)
	return nil
}

// openPosts returns the source that the flags name. What is wrong with it is found before anything is posted.
func (a *app) openPosts(ctx context.Context, o emulateOptions) (posts.Source, error) {
	switch {
	case o.dir != "":
		source, err := posts.OpenJSONLines(o.dir)
		if err != nil {
			return nil, &usageError{fmt.Errorf("--posts: %w", err)}
		}
		return source, nil
	case o.mysql && a.settings.MySQLDSN == "":
		return nil, usagef("--mysql: set PINFLOW_MYSQL_DSN to user:password@tcp(host:3306)/database")
	case o.mysql:
		source, err := posts.OpenMySQL(ctx, a.settings.MySQLDSN)
		if errors.Is(err, posts.ErrUnreachable) {
			return nil, &fault.Error{Kind: fault.Unreachable, What: "cannot reach the database of the posts", Next: "check PINFLOW_MYSQL_DSN and that the server is running", Err: err}
		}
		return source, err
	}
	return posts.NewGenerator(), nil
}

// showEmulation prints what was posted.
func (a *app) showEmulation(source posts.Source, result posts.EmitResult) {
	if result.Total() == 0 && result.Resumed > 0 {
		a.say("Nothing is left to post: all %d posts of %s are there (%d records).", result.Posts, source.Name(), result.Resumed)
		return
	}
	var kinds []string
	for _, kind := range posts.Kinds {
		kinds = append(kinds, fmt.Sprintf("%s %d", kind, result.Records[kind]))
	}
	a.say("Posted %d records (%s), %.1f MB, from %s in %s.", result.Total(), strings.Join(kinds, ", "), float64(result.Bytes)/1e6, source.Name(), duration(result.Duration))
	if result.Resumed > 0 {
		a.say("Before them, %d records had been posted.", result.Resumed)
	}
	if result.Retries > 0 {
		a.say("%d requests were repeated: some records may be there twice, which changes nothing.", result.Retries)
	}
}
