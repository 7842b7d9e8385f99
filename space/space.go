// Package space computes with sets of requests. A set is a union of boxes; a
// box holds a set of strings per field of a request (path, method, a header, a
// query parameter, ...), each a regular language kept as an automaton, so that
// "is every request of this rule taken by earlier ones" is answered by proof,
// with a witness request where it is not. It knows neither Istio nor Envoy:
// check and compare turn their conditions into boxes.
package space

import "strconv"

// Field names one dimension of a request.
type Field string

// The fields with a meaning of their own; headers and query parameters are
// "header:NAME" (lower-case) and "query:NAME".
const (
	Path      Field = "path" // without the query
	Method    Field = "method"
	Authority Field = "authority"
	Scheme    Field = "scheme"
	Port      Field = "port"
	Gateway   Field = "gateway" // NAMESPACE/NAME or "mesh"
	Source    Field = "source-namespace"
)

// Header is the field of a request header.
func Header(name string) Field { return Field("header:" + name) }

// Query is the field of a query parameter, its name and values as they are
// sent (percent-encoded).
func Query(name string) Field { return Field("query:" + name) }

// Cookie is the field of a cookie.
func Cookie(name string) Field { return Field("cookie:" + name) }

// Random is the field of a random number, modulo 100, 10,000 or 1,000,000; a
// request with several of them has one number for all.
func Random(of uint32) Field { return Field("random:" + strconv.FormatUint(uint64(of), 10)) }

// SourceLabel is the field of a label of the calling workload.
func SourceLabel(name string) Field { return Field("source-label:" + name) }

// Result of a question about sets.
type Result struct {
	// Empty is true where no request is left; it is a proof where Proved is.
	Empty bool
	// Proved is false where a limit was reached or a condition could not be
	// expressed, so that Empty is not certain.
	Proved bool
	// Witness is a request of the set where it is not Empty.
	Witness *Witness
}

// Witness is one request of a set. Fields that do not matter are left out.
type Witness struct {
	Values map[Field]string // the fields that have to be there, with a value
	Absent []Field          // the fields that must not be there, sorted
	Atoms  []string         // conditions that have to hold and are no field, sorted; "!" before those that must not
}
