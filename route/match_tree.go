package route

// tree is VirtualHost.matcher.
type tree struct{}

type routeList struct {
	routes []*Route
	index  *index
}

func (t *tree) find(v *view) (routeList, string) { return routeList{}, "" }
func (b *builder) matcherTree(host *VirtualHost) {}
