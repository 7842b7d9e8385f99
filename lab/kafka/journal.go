package kafka

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// trim cuts a journal of kfake behind its last whole entry. kfake skips a torn
// end when it reads, but then appends behind it, where the next start would not
// find the new entries. An entry is its length, the CRC-32C of what follows, and
// that: two bytes of version and the data; all numbers are little-endian.
func trim(name string) error {
	raw, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the broker's journal: %w", err)
	}
	whole := wholeEntries(raw)
	if whole == len(raw) {
		return nil
	}
	if err := os.Truncate(name, int64(whole)); err != nil {
		return fmt.Errorf("cut the torn end of the broker's journal: %w", err)
	}
	return nil
}

func wholeEntries(raw []byte) int {
	at := 0
	for len(raw)-at >= 10 {
		length := int64(binary.LittleEndian.Uint32(raw[at:]))
		if length < 2 || length > int64(len(raw)-at-8) {
			return at
		}
		body := raw[at+8 : at+8+int(length)]
		if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(raw[at+4:]) {
			return at
		}
		at += 8 + int(length)
	}
	return at
}
