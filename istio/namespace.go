package istio

import "github.com/meshstorm/meshstorm/manifest"

// NamespaceOf is the namespace an object is in: its own, or where objects
// without one go.
func (m *Mesh) NamespaceOf(d *manifest.Document) string {
	if d.ID.Namespace != "" {
		return d.ID.Namespace
	}
	return m.world.opts.Namespace
}
