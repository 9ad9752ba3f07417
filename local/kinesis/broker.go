package kinesis

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/pinflow/pinflow/local/kinesis/journal"
	"github.com/pinflow/pinflow/local/kinesis/streams"
)

// snapshotFile holds the streams and shards, without their records.
const snapshotFile = "streams.json"

// broker holds the state and writes it to disk. A change of streams or shards is on disk before
// anybody sees it; so is a record, and records that arrive while others are being synced are synced
// together.
type broker struct {
	dir     string
	clock   func() time.Time
	journal *journal.Journal

	// writing is held by who writes to disk, and taken before mu.
	writing sync.Mutex
	mu      sync.Mutex // guards the fields below
	account *streams.Account
	batch   *batch
	closed  bool

	wake, quit chan struct{}
	done       sync.WaitGroup
}

// batch is a number of records that are written and synced together.
type batch struct {
	payloads   [][]byte
	placements []streams.Placement
	written    chan struct{} // closed when err is set
	err        error
}

func newBatch() *batch { return &batch{written: make(chan struct{})} }

// maxBatch limits the memory of records that wait for the disk, in records.
const maxBatch = 20_000

var errClosed = errors.New("the server is stopping")

// openBroker reads the state from the directory.
func openBroker(dir string, account *streams.Account, clock func() time.Time) (*broker, error) {
	b := &broker{dir: dir, clock: clock, account: account, batch: newBatch(), wake: make(chan struct{}, 1), quit: make(chan struct{})}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	content, err := os.ReadFile(filepath.Join(dir, snapshotFile))
	if err == nil {
		if err := account.Restore(content); err != nil {
			return nil, fmt.Errorf("%s is damaged: remove the directory to start without streams: %w", filepath.Join(dir, snapshotFile), err)
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if b.journal, err = journal.Open(journal.Options{Dir: filepath.Join(dir, "records"), Replay: b.replay}); err != nil {
		return nil, err
	}
	b.done.Add(1)
	go b.write()
	return b, nil
}

// replay adds a record that was written before. Those of deleted streams are left out.
func (b *broker) replay(place journal.Place, payload []byte) error {
	r, err := decode(payload)
	if err != nil {
		return err
	}
	if shard := b.account.Shard(r.stream, r.shard); shard != nil {
		shard.Add(streams.Record{Position: r.position, Arrival: r.arrival, Place: streams.Place(place)})
	}
	return nil
}

// change applies a change of streams or shards to a copy, saves it, and then shows it: a reader that
// saw a shard end that is open again after a crash would miss its further records.
func (b *broker) change(apply func(*streams.Account, time.Time) error) error {
	b.writing.Lock()
	defer b.writing.Unlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.flush() // records that wait belong to shards of the original
	changed := b.account.Clone()
	if err := apply(changed, b.clock()); err != nil {
		return err
	}
	if err := b.save(changed); err != nil {
		return err
	}
	b.account = changed
	return nil
}

func (b *broker) save(account *streams.Account) error {
	content, err := account.Snapshot()
	if err != nil {
		return err
	}
	return journal.ReplaceFile(filepath.Join(b.dir, snapshotFile), content)
}

// look asks the state.
func (b *broker) look(ask func(*streams.Account, time.Time) error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return ask(b.account, b.clock())
}

// put gives records their places, and returns when they are on disk. Place returns the placements,
// and the payloads of those that have a shard.
func (b *broker) put(place func(*streams.Account, time.Time) ([]streams.Placement, [][]byte, error)) error {
	b.mu.Lock()
	for len(b.batch.payloads) > maxBatch && !b.closed { // the disk is slower than the clients
		full := b.batch
		b.mu.Unlock()
		<-full.written
		b.mu.Lock()
	}
	if b.closed {
		b.mu.Unlock()
		return errClosed
	}
	placements, payloads, err := place(b.account, b.clock())
	if err != nil || len(payloads) == 0 {
		b.mu.Unlock()
		return err
	}
	mine := b.batch
	for i, placement := range placements {
		if placement.Shard != nil {
			mine.placements, mine.payloads = append(mine.placements, placement), append(mine.payloads, payloads[i])
		}
	}
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
	<-mine.written
	return mine.err
}

// write writes one batch after the other, until the broker is closed.
func (b *broker) write() {
	defer b.done.Done()
	for {
		select {
		case <-b.wake:
		case <-b.quit:
			return
		}
		b.writing.Lock()
		b.mu.Lock()
		full := b.batch
		b.batch = newBatch()
		b.mu.Unlock()
		places, err := b.append(full)
		b.mu.Lock()
		full.finish(places, err)
		b.mu.Unlock()
		b.writing.Unlock()
	}
}

// flush writes the batch while nobody else can add to it. The caller holds both locks.
func (b *broker) flush() {
	full := b.batch
	b.batch = newBatch()
	places, err := b.append(full)
	full.finish(places, err)
}

func (b *broker) append(full *batch) ([]journal.Place, error) {
	if len(full.payloads) == 0 {
		return nil, nil
	}
	return b.journal.Append(full.payloads)
}

// finish shows the records of a batch to readers, and answers those who wait.
func (full *batch) finish(places []journal.Place, err error) {
	if err == nil {
		for i, placement := range full.placements {
			placement.Record.Place = streams.Place(places[i])
			placement.Shard.Add(placement.Record)
		}
	}
	full.err = err
	close(full.written)
}

// tidy removes the segments of which all records have expired.
func (b *broker) tidy() error {
	b.writing.Lock()
	defer b.writing.Unlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	oldest := b.account.Oldest(b.clock(), b.journal.Active())
	if oldest == b.journal.First() {
		return nil
	}
	// The snapshot has the next position of each shard, which no record may show any more.
	if err := b.save(b.account); err != nil {
		return err
	}
	return b.journal.Remove(oldest)
}

// close answers those who wait and closes the files.
func (b *broker) close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.writing.Lock()
	b.mu.Lock()
	b.flush()
	b.mu.Unlock()
	b.writing.Unlock()
	close(b.quit)
	b.done.Wait()
	b.journal.Close()
}
