package msaez

import (
	"strings"

	"github.com/meshstorm/meshstorm/storm"
)

// families are the prefixes under which the tool has saved types of stickers:
// until 2019, in between, and since.
var families = []string{"org.uengine.modeling.model.", "org.uengine.uml.model.", "org.uengine.modeling.", ""}

// kindOf reads a _type of any age; "" where it is no sticker of EventStorming.
func kindOf(typeName string) storm.Kind {
	for _, family := range families {
		short, ok := strings.CutPrefix(typeName, family)
		if !ok || strings.Contains(short, ".") {
			continue
		}
		switch strings.ToLower(short) {
		case "boundedcontext", "bounded":
			return storm.KindBoundedContext
		case "aggregate":
			return storm.KindAggregate
		case "command":
			return storm.KindCommand
		case "event", "domain", "domainevent":
			return storm.KindEvent
		case "policy":
			return storm.KindPolicy
		case "view", "readmodel":
			return storm.KindView
		case "external":
			return storm.KindExternal
		case "actor":
			return storm.KindActor
		case "ui":
			return storm.KindUI
		case "issue":
			return storm.KindIssue
		case "text":
			return storm.KindText
		case "line":
			return storm.KindLine
		case "pbc":
			return storm.KindPackage
		}
	}
	return ""
}

// counts tells whether a sticker matters to deployment, so that leaving it out
// must be said.
func counts(k storm.Kind) bool {
	return k == storm.KindAggregate || k == storm.KindCommand || k == storm.KindEvent || k == storm.KindPolicy || k == storm.KindView
}
