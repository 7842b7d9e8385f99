package picture

import "github.com/meshstorm/meshstorm/studio/graph"

// theme are the colours of the page, as #rrggbb.
type theme struct{ ground, panel, border, ink, soft, accent, pubsub, request string }

var (
	light = theme{ground: "#f5f6f8", panel: "#ffffff", border: "#d5dae0", ink: "#1a1d21", soft: "#4f5862", accent: "#1864ab", pubsub: "#a34400", request: "#1864ab"}
	dark  = theme{ground: "#16181b", panel: "#1f2226", border: "#434a52", ink: "#e9ecef", soft: "#b4bcc5", accent: "#74c0fc", pubsub: "#ffa94d", request: "#74c0fc"}
)

// tones are the edges of the boxes, by kind.
var tones = map[string]string{
	"Gateway": "#1864ab", "VirtualService": "#7048e8", graph.KindSubset: "#c2255c", "Service": "#2b8a3e", "Deployment": "#d9480f",
	graph.KindExternal: "#868e96", graph.KindHost: "#868e96",
}

func toneOf(kind string) string {
	if t, ok := tones[kind]; ok {
		return t
	}
	return "#495057"
}

// Sizes of texts, in pixels.
const smallSize, nameSize, labelSize = 11.5, 13.5, 12.5
