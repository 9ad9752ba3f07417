package ledger

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/pinflow/pinflow/internal/bucket"
	"github.com/pinflow/pinflow/internal/dates"
)

// Note is a remark of a person about a date.
type Note struct {
	DAG  string     `json:"dag"`
	Date dates.Date `json:"date"`
	At   time.Time  `json:"at"`
	By   string     `json:"by"`
	Text string     `json:"text"`
}

// Notes keeps notes at notes/<dag>/<date>/, one object each: several people can write at the same
// time, without a worker, and nothing is overwritten.
type Notes struct {
	Objects bucket.Objects
}

// noteTime starts the name of a note, so that notes are listed in the order in which they were
// written.
const noteTime = "20060102T150405.000000000Z"

func notePrefix(dag string, date dates.Date) string { return "notes/" + dag + "/" + string(date) + "/" }

// Add writes a note.
func (n *Notes) Add(ctx context.Context, note Note) error {
	if _, err := dates.Parse(string(note.Date)); err != nil {
		return err
	}
	if strings.TrimSpace(note.Text) == "" {
		return errors.New("a note needs a text")
	}
	body, err := json.Marshal(note)
	if err != nil {
		return fmt.Errorf("note on %s: %w", note.Date, err)
	}
	key := notePrefix(note.DAG, note.Date) + note.At.UTC().Format(noteTime) + "-" + rand.Text()[:8] + ".json"
	return n.Objects.Put(ctx, bucket.PutInput{Key: key, Body: body, OnlyNew: true})
}

// Of returns the notes on a date, oldest first.
func (n *Notes) Of(ctx context.Context, dag string, date dates.Date) ([]Note, error) {
	listed, err := n.Objects.List(ctx, bucket.ListInput{Prefix: notePrefix(dag, date)})
	if err != nil {
		return nil, err
	}
	notes := make([]Note, len(listed))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(bucket.ParallelRequests)
	for i, object := range listed {
		group.Go(func() error {
			body, err := n.Objects.Get(ctx, object.Key)
			if err != nil {
				return err
			}
			if err := json.Unmarshal(body, &notes[i]); err != nil {
				return fmt.Errorf("note %s cannot be read: correct or delete it: %w", n.Objects.URI(object.Key), err)
			}
			return nil
		})
	}
	err = group.Wait()
	return notes, err
}
