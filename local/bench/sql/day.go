package main

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"github.com/pinflow/pinflow/internal/envelope"
)

const (
	date       = "2022-10-18"
	user       = "u1"
	partitions = 3
	// objectBytes is where landing cuts objects, by default.
	objectBytes = 16 << 20
)

// land writes a day as landing does, unless it is there already, and returns its directory.
func land(dir string, posts int, quiet bool) (string, error) {
	root := filepath.Join(dir, fmt.Sprintf("posts-%d", posts))
	done := filepath.Join(root, "complete")
	if _, err := os.Stat(done); err == nil {
		return root, nil
	}
	if err := os.RemoveAll(root); err != nil {
		return "", err
	}
	for _, kind := range []string{"pin", "geo", "user"} {
		bytes, err := landTopic(root, kind, posts)
		if err != nil {
			return "", err
		}
		if !quiet {
			fmt.Fprintf(os.Stderr, "%s: %d records, %d MB as produced\n", kind, posts, bytes/1_000_000)
		}
	}
	return root, os.WriteFile(done, nil, 0o644)
}

// landTopic writes the objects of a topic and returns the bytes of the records.
func landTopic(root, kind string, posts int) (bytes int, err error) {
	day := newDay(posts)
	topic := user + "." + kind
	var objects [partitions]*object
	for p := range objects {
		objects[p] = &object{root: root, topic: topic, partition: p, envelope: envelope.New(topic, p)}
	}
	for range posts {
		ind, record := day.next(kind)
		bytes += len(record)
		if err := objects[ind%partitions].add(ind, record); err != nil {
			return 0, err
		}
	}
	for _, o := range objects {
		if err := o.write(); err != nil {
			return 0, err
		}
	}
	return bytes, nil
}

// object is the object of a partition that is filled.
type object struct {
	root, topic string
	partition   int
	envelope    *envelope.Envelope
	start, next int64
	body        []byte
}

func (o *object) add(ind int, record []byte) error {
	if len(o.body) > objectBytes {
		if err := o.write(); err != nil {
			return err
		}
	}
	o.body = o.envelope.Append(o.body, kafkago.Message{
		Offset: o.next, Key: fmt.Append(nil, ind), Value: record,
		Time: time.Date(2022, 10, 18, 0, 0, 0, 0, time.UTC).Add(time.Duration(o.next/8) * time.Millisecond),
	})
	o.next++
	return nil
}

// write writes the object; one of length 0 if nothing is in it.
func (o *object) write() error {
	name := fmt.Sprintf("%010d", o.start)
	if len(o.body) == 0 {
		name = "empty"
	}
	file := filepath.Join(o.root, "topics", o.topic, "dt="+date, fmt.Sprintf("partition=%d", o.partition), fmt.Sprintf("%s+%d+%s.json", o.topic, o.partition, name))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	err := os.WriteFile(file, o.body, 0o644)
	o.start, o.body = o.next, o.body[:0]
	return err
}

// day makes records with the lengths and the faults of real ones: a quarter is sent again, some of
// them changed, and 0.15 % are broken, in arrays, or of another topic.
type day struct {
	*rand.Rand
	distinct, made      int
	recent              []post
	words, names, lands []string
}

type post struct {
	ind  int
	text []byte
}

var categories = strings.Fields("art beauty christmas diy-and-crafts education event-planning finance home-decor mens-fashion quotes tattoos travel vehicles")

func newDay(posts int) *day {
	d := &day{Rand: rand.New(rand.NewPCG(100, uint64(posts))), distinct: max(1, posts*3/4)}
	for range 4000 {
		var word strings.Builder
		for range 1 + d.IntN(4) {
			word.WriteByte("bcdfghklmnprstvw"[d.IntN(16)])
			word.WriteByte("aeiou"[d.IntN(5)])
		}
		d.words = append(d.words, word.String())
	}
	for range 20 {
		d.words = append(d.words, "дом", "уют", "✨", "Déco", "<b>", "ideas", "DIY")
	}
	for range 60_000 {
		d.names = append(d.names, d.text(1+d.IntN(3), " "))
	}
	for i := range 233 {
		d.lands = append(d.lands, fmt.Sprintf("%sland %d", d.words[i], i))
	}
	return d
}

// text returns so many words.
func (d *day) text(n int, separator string) string {
	words := make([]string, n)
	for i := range words {
		words[i] = d.words[d.IntN(len(d.words))]
	}
	return strings.Join(words, separator)
}

func of[T any](d *day, choices []T) T { return choices[d.IntN(len(choices))] }

// next returns the next record of a topic, and the index of its post.
func (d *day) next(kind string) (ind int, record []byte) {
	var p post
	if len(d.recent) == 0 || d.made < d.distinct && d.IntN(4) > 0 {
		p = post{d.made, d.record(kind, d.made)}
		d.made++
		if d.recent = append(d.recent, p); len(d.recent) > 5000 {
			d.recent = append([]post(nil), d.recent[2500:]...)
		}
	} else if p = of(d, d.recent); d.IntN(25) == 0 {
		p.text = d.record(kind, p.ind)
	}
	switch d.IntN(2000) {
	case 0:
		return p.ind, fmt.Appendf(nil, "[%s]", p.text)
	case 1:
		return p.ind, p.text[:len(p.text)/2]
	case 2:
		other := map[string]string{"pin": "geo", "geo": "user", "user": "pin"}[kind]
		return p.ind, d.record(other, p.ind)
	}
	return p.ind, p.text
}

func (d *day) record(kind string, ind int) []byte {
	var record any
	switch kind {
	case "pin":
		record = d.pin(ind)
	case "geo":
		record = geo{ind, d.moment(2017, 5, " T"), degrees(d.Float64()*180 - 90), degrees(d.Float64()*360 - 180), of(d, d.lands)}
	default:
		record = joined{ind, of(d, d.words), of(d, d.words), 20 + d.IntN(41), d.moment(2015, 2, "T")}
	}
	text, err := json.Marshal(record)
	if err != nil {
		panic(err) // all of them have a JSON form
	}
	return text
}

// degrees has the four decimals of real records.
func degrees(x float64) float64 { return math.Round(x*10_000) / 10_000 }

func (d *day) moment(year, years int, separators string) string {
	t := time.Date(year, 10, 20, 0, 0, 0, 0, time.UTC).Add(time.Duration(d.IntN(years*365*24*3600)) * time.Second)
	return t.Format("2006-01-02" + string(separators[d.IntN(len(separators))]) + "15:04:05")
}

type pin struct {
	Index       int    `json:"index"`
	UniqueID    string `json:"unique_id"`
	Title       string `json:"title"`
	Description string `json:"description"`
	Poster      string `json:"poster_name"`
	Followers   string `json:"follower_count"`
	Tags        string `json:"tag_list"`
	Kind        string `json:"is_image_or_video"`
	Image       string `json:"image_src"`
	Downloaded  int    `json:"downloaded"`
	Saved       string `json:"save_location"`
	Category    string `json:"category"`
}

type geo struct {
	Ind       int     `json:"ind"`
	Timestamp string  `json:"timestamp"`
	Latitude  float64 `json:"latitude"`
	Longitude float64 `json:"longitude"`
	Country   string  `json:"country"`
}

type joined struct {
	Ind        int    `json:"ind"`
	FirstName  string `json:"first_name"`
	LastName   string `json:"last_name"`
	Age        int    `json:"age"`
	DateJoined string `json:"date_joined"`
}

func (d *day) pin(ind int) pin {
	category := categories[ind*len(categories)/d.distinct%len(categories)]
	id := fmt.Sprintf("%016x%016x", d.Uint64(), d.Uint64())
	p := pin{
		Index: ind, UniqueID: id[:8] + "-" + id[8:12] + "-" + id[12:16] + "-" + id[16:20] + "-" + id[20:],
		Title: d.text(7, " "), Description: d.text(38, " "), Poster: of(d, d.names), Tags: d.text(24, ","), Kind: "image",
		Image: "https://i.pinimg.com/originals/" + id[:2] + "/" + id[2:4] + "/" + id[4:6] + "/" + id + ".jpg", Downloaded: 1,
		Saved: "Local save in /data/" + category, Category: category,
	}
	switch n := d.IntN(1000); {
	case n < 733:
		p.Followers = fmt.Sprint(1+d.IntN(999), "k")
	case n < 922:
		p.Followers = fmt.Sprint(d.IntN(1000))
	default:
		p.Followers = fmt.Sprint(1+d.IntN(9), "M")
	}
	switch n := d.IntN(1000); {
	case n < 10:
		p.Title, p.Followers, p.Poster, p.Tags, p.Image = "No Title Data Available", "User Info Error", "User Info Error", "N,o, ,T,a,g,s, ,A,v,a,i,l,a,b,l,e", "Image src error."
	case n < 90:
		p.Kind, p.Description = "multi-video(story page format)", "No description available Story format"
	case n < 107:
		p.Description = "No description available"
	}
	return p
}
