package space

import "unicode/utf8"

// byteRange is one byte of an encoded range of characters.
type byteRange struct{ lo, hi byte }

// encode splits a range of characters into sequences of ranges of bytes, as
// UTF-8 writes them. Surrogates have no encoding and are left out.
func encode(lo, hi rune, emit func([]byteRange)) {
	const surrogateMin, surrogateMax = 0xd800, 0xdfff
	if lo <= surrogateMax && hi >= surrogateMin {
		if lo < surrogateMin {
			encode(lo, surrogateMin-1, emit)
		}
		if hi > surrogateMax {
			encode(surrogateMax+1, hi, emit)
		}
		return
	}
	if lo > hi {
		return
	}
	for _, limit := range []rune{0x7f, 0x7ff, 0xffff} { // one length of encoding at a time
		if lo <= limit && hi > limit {
			encode(lo, limit, emit)
			encode(limit+1, hi, emit)
			return
		}
	}
	// All but the first byte that differs must span all continuation bytes.
	for i := 1; i < utf8.UTFMax; i++ {
		mask := rune(1)<<(6*i) - 1
		if lo&^mask == hi&^mask {
			continue
		}
		if lo&mask != 0 {
			encode(lo, lo|mask, emit)
			encode((lo|mask)+1, hi, emit)
			return
		}
		if hi&mask != mask {
			encode(lo, hi&^mask-1, emit)
			encode(hi&^mask, hi, emit)
			return
		}
	}
	var a, b [utf8.UTFMax]byte
	n := utf8.EncodeRune(a[:], lo)
	utf8.EncodeRune(b[:], hi)
	seq := make([]byteRange, n)
	for i := range n {
		seq[i] = byteRange{a[i], b[i]}
	}
	emit(seq)
}
