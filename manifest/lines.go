package manifest

import (
	"bytes"
	"unicode/utf8"
)

// lines finds bytes by line and column, and back.
type lines struct {
	data   []byte
	starts []int
}

func newLines(data []byte) *lines {
	l := &lines{data: data, starts: make([]int, 0, bytes.Count(data, []byte("\n"))+1)}
	odd := oddBreaks(data)
	for at := 0; at < len(data); {
		l.starts = append(l.starts, at)
		if odd {
			at += lineLength(data[at:])
		} else if i := bytes.IndexByte(data[at:], '\n'); i >= 0 {
			at += i + 1
		} else {
			break
		}
	}
	return l
}

func (l *lines) count() int { return len(l.starts) }

// start is the offset of the 1-based line; past the last one, the end.
func (l *lines) start(line int) int {
	if line < 1 {
		return 0
	}
	if line > len(l.starts) {
		return len(l.data)
	}
	return l.starts[line-1]
}

// text is the 1-based line without its break.
func (l *lines) text(line int) []byte {
	text := l.data[l.start(line):l.start(line+1)]
	for len(text) > 0 {
		_, n := utf8.DecodeLastRune(text)
		if breakLength(text[len(text)-n:]) == 0 {
			break
		}
		text = text[:len(text)-n]
	}
	return text
}

// offset is where the column (1-based, in characters) of a line begins.
func (l *lines) offset(line, column int) int {
	at := l.start(line)
	end := l.start(line + 1)
	for ; column > 1 && at < end; column-- {
		_, n := utf8.DecodeRune(l.data[at:end])
		at += n
	}
	return at
}

// place is the line and column of an offset.
func (l *lines) place(offset int) (line, column int) {
	low, high := 0, len(l.starts)
	for low < high {
		if mid := (low + high) / 2; l.starts[mid] <= offset {
			low = mid + 1
		} else {
			high = mid
		}
	}
	if low == 0 {
		return 1, 1
	}
	return low, 1 + utf8.RuneCount(l.data[l.starts[low-1]:min(offset, len(l.data))])
}
