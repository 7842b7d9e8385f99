// Package fields knows of every field of Envoy's listener, HTTP connection
// manager, cluster and endpoint messages, and of the extensions that Istio
// sends, whether the proxy evaluates it. Every part of the proxy brings its own
// list (its function Fields); the table puts them together, a test holds it to
// Envoy's protobuf descriptors, and Unsupported walks what istiod really sent.
package fields

import "github.com/meshstorm/meshstorm/route"

// Field is how one field of a message is dealt with; see route.Field. For the
// proxy, Text begins with "unsupported: " or, for what changes no traffic (names
// of statistics and the like), with "not shown: ".
type Field = route.Field
