package installation

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// What install puts into a cluster unless it is told otherwise: a released Istio
// of the same minor version as the charts in this program.
const (
	Hub = "docker.io/istio"
	Tag = "1.31.1"
)

// Version is the MAJOR.MINOR.PATCH at the start of a tag or a server's version.
type Version struct{ Major, Minor, Patch int }

var versionText = regexp.MustCompile(`^v?(\d{1,4})\.(\d{1,4})(?:\.(\d{1,6}))?(?:[-+._].*)?$`)

// ParseVersion reads "1.31.1", "v1.37.2-gke.100", "1.31-alpha.abc" and
// "1.31.1-distroless"; it is false for anything else, such as "latest".
func ParseVersion(text string) (Version, bool) {
	m := versionText.FindStringSubmatch(text)
	if m == nil {
		return Version{}, false
	}
	var n [3]int
	for i := range n {
		if m[i+1] == "" {
			continue
		}
		var err error
		if n[i], err = strconv.Atoi(m[i+1]); err != nil {
			return Version{}, false
		}
	}
	return Version{n[0], n[1], n[2]}, true
}

// MinorText is "1.31".
func (v Version) MinorText() string { return fmt.Sprintf("%d.%d", v.Major, v.Minor) }

// Apart is how many minor versions lie between two; versions with different
// majors are always too far apart.
func (v Version) Apart(w Version) int {
	if v.Major != w.Major {
		return 1000
	}
	return max(v.Minor-w.Minor, w.Minor-v.Minor)
}

// Kubernetes versions (1.N) that an Istio minor supports.
type support struct {
	istio          string
	oldest, newest int
}

// supported is https://istio.io/latest/docs/releases/supported-releases, "Support
// status of Istio releases". The oldest of the linked minor is the one that
// Istio's own installer asks for; its newest is the one that the lab runs it on.
var supported = []support{
	{"1.31", 32, 37},
	{"1.29", 31, 35},
	{"1.28", 30, 34},
	{"1.27", 29, 33},
	{"1.26", 29, 32},
	{"1.25", 29, 32},
	{"1.24", 28, 31},
}

// Support says whether an Istio runs on a Kubernetes.
type Support string

// What Support can be.
const (
	Supported   Support = "supported"
	Unsupported Support = "unsupported"
	Unknown     Support = "unknown" // one of the versions is not in the table
)

// Supports compares versions such as "1.31.1" and "v1.37.2"; the text names the
// range of Kubernetes versions, "1.32 to 1.37", "" where it is not known.
func Supports(istio, kubernetes string) (Support, string) {
	i, okIstio := ParseVersion(istio)
	k, okKube := ParseVersion(kubernetes)
	for _, s := range supported {
		if !okIstio || s.istio != i.MinorText() {
			continue
		}
		text := fmt.Sprintf("1.%d to 1.%d", s.oldest, s.newest)
		switch {
		case !okKube:
			return Unknown, text
		case k.Major == 1 && k.Minor >= s.oldest && k.Minor <= s.newest:
			return Supported, text
		}
		return Unsupported, text
	}
	return Unknown, ""
}

// tagOf is the tag of an image; "" for one without a tag.
func tagOf(image string) string {
	image, _, _ = strings.Cut(image, "@")
	_, tag, _ := strings.Cut(image[strings.LastIndex(image, "/")+1:], ":")
	return tag
}

// versionOf is the version that a tag stands for: "1.31.1-distroless" and
// "1.31.1" are the same. A tag without a version stays as it is.
func versionOf(tag string) string {
	for _, variant := range []string{"-distroless", "-debug"} {
		tag = strings.TrimSuffix(tag, variant)
	}
	return tag
}
