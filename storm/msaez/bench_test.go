package msaez_test

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	"github.com/meshstorm/meshstorm/storm/msaez"
	"github.com/meshstorm/meshstorm/storm/stormtest"
)

var sizes = []int{10, 100, 1_000, 10_000}

func BenchmarkRead(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprintf("contexts=%d", n), func(b *testing.B) {
			data := stormtest.Mall(n)
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := msaez.Read(bytes.NewReader(data), "mall"); err != nil {
					b.Fatal(err)
				}
			}
			perContext(b, n)
		})
	}
}

func BenchmarkWrite(b *testing.B) {
	benchmarkDocument(b, func(d *msaez.Document) error { return d.Write(io.Discard) })
}

func BenchmarkSlim(b *testing.B) {
	benchmarkDocument(b, func(d *msaez.Document) error {
		_, err := d.Slim()
		return err
	})
}

func benchmarkDocument(b *testing.B, do func(*msaez.Document) error) {
	for _, n := range sizes {
		b.Run(fmt.Sprintf("contexts=%d", n), func(b *testing.B) {
			data := stormtest.Mall(n)
			d, err := msaez.Parse(data, "mall")
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if err := do(d); err != nil {
					b.Fatal(err)
				}
			}
			perContext(b, n)
		})
	}
}

// perContext reports the figure that must not grow with the count.
func perContext(b *testing.B, contexts int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(contexts), "ns/context")
}
