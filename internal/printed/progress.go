package printed

import (
	"fmt"
	"strings"
	"time"

	"github.com/meshstorm/meshstorm/cluster"
)

// ProgressMessage tells progress from the other lines of a log in JSON.
const ProgressMessage = "progress"

// ProgressEntry is one step of an apply or delete, as a line of the log where
// that is JSON (--log-format json).
type ProgressEntry struct {
	Time    time.Time `json:"time"`
	Level   string    `json:"level"` // INFO
	Msg     string    `json:"msg"`   // ProgressMessage
	Stage   string    `json:"stage"` // its name; "" where a removal has none
	Object  string    `json:"object,omitempty"`
	State   string    `json:"state"` // as cluster.Event has it
	Message string    `json:"message,omitempty"`
}

// ProgressOf makes an event an entry of now.
func ProgressOf(e cluster.Event) ProgressEntry {
	out := ProgressEntry{Time: time.Now().UTC(), Level: "INFO", Msg: ProgressMessage, Stage: e.Stage, State: e.State, Message: e.Message}
	if e.Object != (cluster.ID{}) {
		out.Object = e.Object.String()
	}
	return out
}

// Text is the entry as a person reads it.
func (e ProgressEntry) Text() string {
	if e.Object == "" {
		return e.State + " " + e.Message
	}
	line := fmt.Sprintf("  %-10s %s", e.State, e.Object)
	if e.Message != "" {
		line += ": " + strings.Join(strings.Fields(e.Message), " ")
	}
	return line
}
