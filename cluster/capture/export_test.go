package capture

// Bare is an object without defaults and what the server writes, for tests that
// compare objects by what they mean.
func Bare(kind string, content map[string]any) map[string]any {
	out := cleaner{defaults: true, nodePorts: true}.clean(kind, content)
	if spec := mapping(out, "spec"); equal(spec["replicas"], int64(1)) {
		delete(spec, "replicas")
	}
	return out
}
