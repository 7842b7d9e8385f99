package canvas

import (
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/meshstorm/meshstorm/deploy"
)

// validName is a name that the API server takes for this kind: the one given
// where it is valid, else the one that a bounded context of this name has.
func validName(kind, name string) string {
	valid := validation.IsDNS1123Subdomain
	switch kind {
	case "Service":
		valid = validation.IsDNS1035Label
	case "Namespace":
		valid = validation.IsDNS1123Label
	case "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding":
		if !strings.ContainsAny(name, "/% \t\n") && name != "." && name != ".." {
			return name // any path segment will do
		}
	}
	if len(valid(name)) == 0 {
		return name
	}
	return clip(deploy.DNSName(name))
}

// clip keeps a name within a label's 63 characters.
func clip(name string) string {
	if len(name) > validation.DNS1123LabelMaxLength {
		name = name[:validation.DNS1123LabelMaxLength]
	}
	return strings.Trim(name, "-")
}

// validLabel is a value that a label may have.
func validLabel(value string) string {
	if len(validation.IsValidLabelValue(value)) == 0 {
		return value
	}
	return clip(deploy.DNSName(value))
}
