package telemetry_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"testing"
	"testing/iotest"

	"github.com/meshstorm/meshstorm/lab/proxy/telemetry"
)

// frames are gRPC messages of the given sizes.
func frames(sizes ...int) []byte {
	var b []byte
	for _, n := range sizes {
		b = append(b, 0)
		b = binary.BigEndian.AppendUint32(b, uint32(n))
		b = append(b, make([]byte, n)...)
	}
	return b
}

func TestMessagesAreCountedHoweverTheyAreCut(t *testing.T) {
	data := frames(0, 1, 70_000, 3)
	for name, reader := range map[string]io.Reader{"at once": bytes.NewReader(data), "byte by byte": iotest.OneByteReader(bytes.NewReader(data)), "in halves": iotest.HalfReader(bytes.NewReader(data))} {
		m := &telemetry.Messages{}
		n, err := io.Copy(io.Discard, m.Reader(io.NopCloser(reader)))
		if err != nil || n != int64(len(data)) || m.Total() != 4 {
			t.Errorf("%s: %d messages of %d bytes, %v", name, m.Total(), n, err)
		}
	}
}

func FuzzMessages(f *testing.F) {
	f.Add(frames(1, 2, 3), 2)
	f.Fuzz(func(t *testing.T, data []byte, cut int) {
		whole, parts := &telemetry.Messages{}, &telemetry.Messages{}
		whole.Count(data)
		cut = min(max(cut, 0), len(data))
		parts.Count(data[:cut])
		parts.Count(data[cut:])
		if whole.Total() != parts.Total() {
			t.Errorf("%d and %d", whole.Total(), parts.Total())
		}
	})
}
