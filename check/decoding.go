package check

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	k8sschema "k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/meshstorm/meshstorm/check/schema"
)

// Codes of decoding.
const (
	CodeDecode    = "MS0101" // the API server would refuse the object as written
	CodeUnchecked = "MS0102" // nobody here knows the kind
)

// Decoding reads Kubernetes' own kinds as strictly as `kubectl apply` does.
func Decoding() Rule {
	return Rule{
		Codes: []string{CodeDecode, CodeUnchecked},
		Name:  "decoding",
		Doc:   "An object's kind, version or fields are not what the API server knows.",
		CodeDocs: map[string]string{
			CodeUnchecked: "The kind is neither Kubernetes', nor Istio's, nor the Gateway API's, so its fields were not checked.",
		},
		Rows: []Row{
			{Code: CodeDecode, Severity: "error",
				Means: "unknown field, wrong type, unknown or removed kind or version: `kubectl apply` fails",
				Todo:  "correct the field or `apiVersion`"},
			{Code: CodeUnchecked, Severity: "info",
				Means: "the kind is nobody's here, so its fields were not checked; it needs its CRD",
				Todo:  "install the CRD first"},
		},
		Run: func(_ context.Context, in *Input) []Finding {
			var found []Finding
			for _, r := range in.Resources() {
				if r.Err == nil {
					found = append(found, decodeFindings(r)...)
				}
			}
			return found
		},
	}
}

func decodeFindings(r *Resource) []Finding {
	gvk := r.GVK()
	if r.APIVersion() == "" || r.Kind() == "" || gvk.Version == "" {
		f := r.Finding(CodeDecode, Error, "apiVersion", "apiVersion or kind is missing, so the API server cannot tell what this is")
		f.Fix = "write both, such as apiVersion: v1 and kind: Service, or keep files that are no manifests elsewhere"
		return []Finding{f}
	}
	if api, ok := removed(gvk); ok {
		f := r.Finding(CodeDecode, Error, "apiVersion",
			fmt.Sprintf("Kubernetes no longer serves %s %s since version %s: applying this fails with \"no matches for kind\"", gvk.GroupVersion(), gvk.Kind, api.since))
		f.Fix = "write apiVersion: " + api.use + ", and move the fields that were renamed since"
		if api.use == "" {
			f.Fix = "remove the object; nothing takes its place under that name"
		}
		return []Finding{f}
	}
	t := r.decodeTyped()
	if t.object == nil {
		if _, ok := schema.For(gvk); ok {
			return nil // see Custom
		}
		return []Finding{unknownKind(r, gvk)}
	}
	var found []Finding
	for _, err := range t.strict {
		found = append(found, strictFinding(r, err))
	}
	if t.err != nil {
		field, text := explainDecode(r.Object, t.err)
		f := r.Finding(CodeDecode, Error, field, "the API server refuses this object: "+text)
		f.Fix = wantedType(gvk, field)
		found = append(found, f)
	}
	return found
}

func strictFinding(r *Resource, err error) Finding {
	text := err.Error()
	field := text
	if _, quoted, ok := strings.Cut(text, `"`); ok {
		field = strings.TrimSuffix(quoted, `"`)
	}
	f := r.Finding(CodeDecode, Error, field,
		text+": kubectl refuses the object, and clients that are less strict drop the field without a word")
	parent, name := cutField(field)
	f.Fix = fmt.Sprintf("remove %s, or correct its name", name)
	if near := nearest(name, schema.Children(r.GVK(), parent)); near != "" {
		f.Fix = fmt.Sprintf("write %s instead of %s", near, name)
	}
	return f
}

func cutField(field string) (parent, name string) {
	if i := strings.LastIndex(field, "."); i >= 0 {
		return field[:i], field[i+1:]
	}
	return "", field
}

// keyAsField finds the keys of maps in a path, labels[app], which help for
// fields takes as names.
var keyAsField = regexp.MustCompile(`\[([^\]\d][^\]]*)\]`)

// wantedType names the type that the field has, for a fix.
func wantedType(gvk k8sschema.GroupVersionKind, field string) string {
	field = keyAsField.ReplaceAllString(field, ".$1")
	if d, ok := schema.Describe(gvk, field); ok && field != "" {
		return fmt.Sprintf("%s is of type %s; see meshstorm explain %s.%s", field, d.Type, strings.ToLower(gvk.Kind), field)
	}
	return "correct the value; meshstorm explain " + strings.ToLower(gvk.Kind) + " tells what each field takes"
}

// unknownKind is about a kind that has no schema here: a mistake where the API
// group is a known one, else merely unknown.
func unknownKind(r *Resource, gvk k8sschema.GroupVersionKind) Finding {
	versions := servedVersions(gvk.GroupKind())
	kinds := kindsOf(gvk.Group)
	switch {
	case len(versions) > 0:
		f := r.Finding(CodeDecode, Error, "apiVersion",
			fmt.Sprintf("no API server serves %s in version %s: applying this fails with \"no matches for kind\"", gvk.Kind, gvk.GroupVersion()))
		f.Fix = "write apiVersion: " + strings.Join(versions, " or ")
		return f
	case len(kinds) > 0 || retiredGroup(gvk.Group):
		f := r.Finding(CodeDecode, Error, "kind",
			fmt.Sprintf("%s has no kind %s: applying this fails with \"no matches for kind\"", gvk.GroupVersion(), gvk.Kind))
		f.Fix = "correct apiVersion and kind, or remove the object"
		if near := nearest(gvk.Kind, kinds); near != "" {
			f.Fix = "write kind: " + near
		}
		return f
	}
	f := r.Finding(CodeUnchecked, Info, "apiVersion",
		fmt.Sprintf("not checked: no schema for %s %s; the API server takes it only where its CRD is installed", gvk.GroupVersion(), gvk.Kind))
	f.Fix = "make sure that its CRD is installed before this is applied"
	return f
}

// retiredGroup tells whether all kinds of the API group are gone. Istio had
// them up to version 1.7.
func retiredGroup(group string) bool {
	return group == "config.istio.io" || group == "authentication.istio.io" || group == "rbac.istio.io"
}

func servedVersions(gk k8sschema.GroupKind) []string {
	var all []string
	add := func(version string) {
		gv := k8sschema.GroupVersion{Group: gk.Group, Version: version}
		if _, gone := removed(gv.WithKind(gk.Kind)); !gone {
			all = append(all, gv.String())
		}
	}
	if versions, ok := schema.Served(gk); ok {
		for _, v := range versions {
			add(v)
		}
		return all
	}
	for _, gv := range scheme.Scheme.VersionsForGroupKind(gk) {
		add(gv.Version)
	}
	slices.Sort(all)
	return all
}

// kindsOf lists the kinds of an API group, for those that are known.
func kindsOf(group string) []string {
	var all []string
	for gvk := range scheme.Scheme.AllKnownTypes() {
		if gvk.Group == group && gvk.Version != "__internal" {
			all = append(all, gvk.Kind)
		}
	}
	all = append(all, schema.Kinds(group)...)
	slices.Sort(all)
	return slices.Compact(all)
}
