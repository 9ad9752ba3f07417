package posts

import (
	"context"
	"testing"
)

// BenchmarkGenerator generates the three lines of a post.
func BenchmarkGenerator(b *testing.B) {
	for _, kind := range Kinds {
		b.Run(kind, func(b *testing.B) {
			b.ReportAllocs()
			n := 0
			for _, err := range NewGenerator().Lines(context.Background(), kind) {
				if err != nil {
					b.Fatal(err)
				}
				if n++; n > b.N {
					break
				}
			}
		})
	}
}
