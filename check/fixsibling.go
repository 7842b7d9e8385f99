package check

import "fmt"

// separate makes two matches of one whose prefix ends within a segment: the
// path itself, and what is below it. It gives no edits where the rule puts
// something in the place of the prefix, for then requests below the path would
// come out different.
func (e *entry) separate() []Edit {
	rule := e.httpRule()
	if e.match < 0 || rule.GetRewrite().GetUri() != "" || rule.GetRedirect().GetUri() != "" || rule.GetRedirect().GetPrefixRewrite() != "" {
		return nil
	}
	written := e.vs.Document.Get(e.field())
	below := map[string]any{}
	if written == nil || written.Decode(&below) != nil {
		return nil
	}
	below["uri"] = map[string]any{"prefix": e.prefix() + "/"}
	delete(below, "name") // names of matches are for telling them apart
	return []Edit{
		SetField(e.vs.Document, e.field()+".uri", map[string]any{"exact": e.prefix()}),
		InsertItem(e.vs.Document, fmt.Sprintf("%s.match[%d]", e.ruleField(), e.match+1), below),
	}
}
