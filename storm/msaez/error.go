package msaez

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// Error is why a file cannot be read as a model, where, and what to do next.
// Every error of Read and Parse is one.
type Error struct {
	Name   string // the file's name as the caller gave it
	Line   int    // 1-based; 0 where the fault concerns the whole file
	Column int    // 1-based, in characters; 0 where Line is 0
	Path   string // the place in the model, `elements["a1"]`; "" where there is none
	Msg    string // what is wrong and what was expected
	Hint   string // the next step
	Err    error  // the cause, where there is one
}

// Error is place, message and next step on one line.
func (e *Error) Error() string {
	place := e.Name
	if e.Line > 0 {
		place = fmt.Sprintf("%s:%d:%d", e.Name, e.Line, e.Column)
	}
	msg := e.Msg
	if e.Path != "" {
		msg = e.Path + ": " + msg
	}
	if e.Err != nil {
		msg = fmt.Sprintf("%s: %v", msg, e.Err)
	}
	if e.Hint != "" {
		msg += "; " + e.Hint
	}
	if place == "" {
		return msg
	}
	return place + ": " + msg
}

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Err }

// fault is an Error whose place is still a byte offset: lines are counted only
// when an error is really reported.
type fault struct {
	off             int
	path, msg, hint string
}

func (f *fault) error(data []byte, name string) *Error {
	line, column := position(data, f.off)
	return &Error{Name: name, Line: line, Column: column, Path: f.path, Msg: f.msg, Hint: f.hint}
}

// position tells the 1-based line and column of a byte offset.
func position(data []byte, off int) (line, column int) {
	off = min(off, len(data))
	before := data[:off]
	start := bytes.LastIndexByte(before, '\n') + 1
	return bytes.Count(before, []byte{'\n'}) + 1, utf8.RuneCount(before[start:]) + 1
}
