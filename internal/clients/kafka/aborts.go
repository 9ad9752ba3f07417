package kafka

import (
	"cmp"
	"slices"

	"github.com/segmentio/kafka-go/protocol/fetch"
)

// aborts knows which transactional batches of an answer belong to aborted transactions, as Kafka's
// own consumer does: of a producer, everything from the first offset of the aborted transaction up
// to the marker that aborts it.
type aborts struct {
	coming []fetch.ResponseTransaction // by their first offsets
	open   map[int64]bool              // by the ids of producers
}

func newAborts(transactions []fetch.ResponseTransaction) *aborts {
	slices.SortFunc(transactions, func(a, b fetch.ResponseTransaction) int { return cmp.Compare(a.FirstOffset, b.FirstOffset) })
	return &aborts{coming: transactions, open: map[int64]bool{}}
}

// drop reports whether the records of a batch were aborted. It is called with each batch in turn.
func (a *aborts) drop(b batch) (bool, error) {
	for len(a.coming) > 0 && a.coming[0].FirstOffset < b.end() {
		a.open[a.coming[0].ProducerID] = true
		a.coming = a.coming[1:]
	}
	producer := b.int64(atProducerID)
	if !b.is(transactional) || !a.open[producer] {
		return false, nil
	}
	if !b.is(control) {
		return true, nil
	}
	aborted, err := b.aborts()
	if aborted {
		delete(a.open, producer)
	}
	return true, err
}
