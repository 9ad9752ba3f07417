package posts

import (
	"context"
	"fmt"
	"iter"
	"math/bits"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	// rows is the number of rows in each table of the generator, as in the original database.
	rows = 11_154
	// generatorVersion changes with every change of the generated rows.
	generatorVersion = 1
)

// Shares of faulty records, in posts of 10,000.
const (
	misplacedShare = 30 // the pin is posted to the user topic as well
	wrappedShare   = 20 // a record is posted as an array with one element
)

// generator generates rows.
type generator struct{}

// NewGenerator returns a source of generated posts: rows of three tables in the order of Draws, so
// that rows that are drawn again are posted again. They have the faults of the real posts: sentinel
// texts in the same shares and combinations, records in the wrong topic, records in arrays. The
// posts are the same on every machine.
func NewGenerator() Source { return generator{} }

func (generator) Name() string        { return "the built-in generator" }
func (generator) Fingerprint() string { return fmt.Sprintf("generator-%d-%d", generatorVersion, Seed) }
func (generator) Posts() int          { return 0 }

func (generator) Lines(_ context.Context, kind string) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		post := 0
		for row := range Draws(rows) {
			line := Line{Kind: kind, Post: post, Key: strconv.Itoa(row), Origin: fmt.Sprintf("row %d of the generator", row)}
			dirt := newDice(streamWire, post)
			misplaced := dirt.share(misplacedShare)
			if misplaced && kind == "user" {
				stray := line
				stray.Value = Row("pin", row)
				if !yield(stray, nil) {
					return
				}
			}
			line.Value = Row(kind, row)
			for _, k := range Kinds {
				if dirt.share(wrappedShare) && k == kind {
					line.Value = []byte("[" + string(line.Value) + "]")
				}
			}
			if !yield(line, nil) {
				return
			}
			post++
		}
	}
}

// Row returns a row of a generated table as a JSON object. Rows are numbered from 0 to 11,153,
// which is also their index.
func Row(kind string, row int) []byte {
	switch kind {
	case "pin":
		return pinRow(row)
	case "geo":
		return geoRow(row)
	case "user":
		return userRow(row)
	}
	panic("no table of kind " + kind)
}

// Streams of random numbers: one for each table, so that a change of one does not change the
// others.
const (
	streamPin = iota + 1
	streamGeo
	streamUser
	streamPerson
	streamWire
)

// dice draws random numbers for one row. They are integers, because floating point can differ
// between processors.
type dice struct{ source rand.PCG }

func newDice(stream, row int) *dice {
	d := &dice{}
	d.source.Seed(Seed<<32|uint64(stream), uint64(row))
	return d
}

// n draws from [0, n).
func (d *dice) n(n int) int {
	high, _ := bits.Mul64(d.source.Uint64(), uint64(n))
	return int(high)
}

// between draws from [from, to].
func (d *dice) between(from, to int) int { return from + d.n(to-from+1) }

// share returns true in that many cases of 10,000.
func (d *dice) share(of int) bool { return d.n(10_000) < of }

// low draws from [0, n), with small numbers more often: the smallest of several draws.
func (d *dice) low(n, draws int) int {
	least := d.n(n)
	for range draws - 1 {
		least = min(least, d.n(n))
	}
	return least
}

func (d *dice) pick(from []string) string { return from[d.n(len(from))] }

// moment draws a second of [from, to] and formats it as YYYY-MM-DD HH:MM:SS.
func (d *dice) moment(from, to time.Time) string {
	seconds := d.n(int(to.Sub(from)/time.Second) + 1)
	return from.Add(time.Duration(seconds) * time.Second).Format(time.DateTime)
}

// object is a JSON object that is being written, with the white space of Python's json.
type object []byte

func (o *object) name(name string) {
	separator := ", "
	if len(*o) == 0 {
		separator = "{"
	}
	*o = append(*o, separator...)
	*o, _ = jsontext.AppendQuote(*o, name)
	*o = append(*o, ": "...)
}

func (o *object) text(name, value string) {
	o.name(name)
	*o, _ = jsontext.AppendQuote(*o, value) // invalid UTF-8 is replaced
}

func (o *object) raw(name, value string) {
	o.name(name)
	*o = append(*o, value...)
}

func (o *object) number(name string, value int) { o.raw(name, strconv.Itoa(value)) }

func (o *object) end() []byte { return append(*o, '}') }
