//go:build race

package standin_test

// raced says that the race detector's own memory is in every process.
const raced = true
