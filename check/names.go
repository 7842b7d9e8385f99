package check

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation"
)

// CodeName is the code of names, labels and annotations that Kubernetes
// refuses.
const CodeName = "MS0103"

// Names checks names, labels and annotations by Kubernetes' own rules.
func Names() Rule {
	return Rule{
		Codes: []string{CodeName},
		Name:  "names",
		Doc:   "A name, label or annotation is not one that Kubernetes accepts.",
		Rows: []Row{
			{Code: CodeName, Severity: "error",
				Means: "the API server refuses the name, namespace, a label or an annotation",
				Todo:  "use the characters and length the finding names"},
		},
		Run: func(_ context.Context, in *Input) []Finding {
			var found []Finding
			for _, r := range in.Resources() {
				if r.Err == nil && r.Kind() != "" {
					found = append(found, nameFindings(r)...)
					found = append(found, metaFindings(r, "metadata")...)
					for _, path := range templates(r) {
						found = append(found, metaFindings(r, path+".metadata")...)
					}
				}
			}
			return found
		},
	}
}

func nameFindings(r *Resource) []Finding {
	if strings.HasSuffix(r.Kind(), "Review") || strings.HasSuffix(r.Kind(), "List") || r.Kind() == "Kustomization" {
		return nil // sent, not stored; or no object of a cluster at all
	}
	name := r.Name()
	if name == "" {
		if r.text("metadata", "generateName") != "" {
			return nil
		}
		f := r.Finding(CodeName, Error, "metadata.name", "the object has no name, so it cannot be applied")
		f.Fix = "write metadata.name"
		return []Finding{f}
	}
	var found []Finding
	for _, fault := range nameRule(r)(name) {
		f := r.Finding(CodeName, Error, "metadata.name", fmt.Sprintf("the API server refuses the name %q: %s", name, brief(fault)))
		f.Fix = "use lower-case letters, digits and dashes, with a letter first and at most 63 characters"
		found = append(found, f)
	}
	if ns := r.text("metadata", "namespace"); ns != "" {
		for _, fault := range validation.IsDNS1123Label(ns) {
			f := r.Finding(CodeName, Error, "metadata.namespace", fmt.Sprintf("the API server refuses the namespace %q: %s", ns, brief(fault)))
			f.Fix = "use lower-case letters, digits and dashes, at most 63 characters"
			found = append(found, f)
		}
	}
	return found
}

// nameRule is the rule for the names of a kind, as pkg/apis/*/validation of
// Kubernetes has it.
func nameRule(r *Resource) func(string) []string {
	with := func(f apivalidation.ValidateNameFunc) func(string) []string {
		return func(name string) []string { return f(name, false) }
	}
	switch r.Group() + "/" + r.Kind() {
	case "/Service":
		return with(apivalidation.NameIsDNS1035Label)
	case "/Namespace":
		return with(apivalidation.NameIsDNSLabel)
	case "apps/StatefulSet":
		return with(apivalidation.NameIsDNSLabel)
	case "batch/CronJob":
		return func(name string) []string {
			faults := apivalidation.NameIsDNSSubdomain(name, false)
			if len(name) > 52 { // it becomes a job's name with 11 characters more
				faults = append(faults, "must be no more than 52 characters")
			}
			return faults
		}
	case "rbac.authorization.k8s.io/Role", "rbac.authorization.k8s.io/RoleBinding",
		"rbac.authorization.k8s.io/ClusterRole", "rbac.authorization.k8s.io/ClusterRoleBinding",
		"certificates.k8s.io/CertificateSigningRequest":
		return func(name string) []string {
			if name == "." || name == ".." || strings.ContainsAny(name, "/%") {
				return []string{"must be possible as a part of a URL's path: no /, no %"}
			}
			return nil
		}
	}
	return with(apivalidation.NameIsDNSSubdomain)
}

// metaFindings checks the labels and annotations below a path.
func metaFindings(r *Resource, path string) []Finding {
	var found []Finding
	fail := func(field, message, fix string) {
		f := r.Finding(CodeName, Error, field, message)
		f.Fix = fix
		found = append(found, f)
	}
	meta, _ := r.at(path).(map[string]any)
	labels, _ := meta["labels"].(map[string]any)
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		field := path + ".labels[" + key + "]"
		for _, fault := range validation.IsQualifiedName(key) {
			fail(field, fmt.Sprintf("the API server refuses the label %q: %s", key, brief(fault)), "write it as name or domain/name")
		}
		value, ok := labels[key].(string)
		if !ok {
			// Decoding reports it for kinds that it knows.
			if r.Typed() == nil && r.decodeTyped().object == nil {
				fail(field, fmt.Sprintf("the API server refuses label %q: its value is no text", key), "put the value in quotes")
			}
			continue
		}
		for _, fault := range validation.IsValidLabelValue(value) {
			fail(field, fmt.Sprintf("the API server refuses the value %q of label %q: %s", value, key, brief(fault)),
				"use letters, digits, dashes, dots and underscores, at most 63 characters; longer texts belong into annotations")
		}
	}
	annotations, _ := meta["annotations"].(map[string]any)
	size := 0
	for _, key := range slices.Sorted(maps.Keys(annotations)) {
		value, _ := annotations[key].(string)
		size += len(key) + len(value)
		for _, fault := range validation.IsQualifiedName(strings.ToLower(key)) {
			fail(path+".annotations["+key+"]", fmt.Sprintf("the API server refuses the annotation %q: %s", key, brief(fault)), "write it as name or domain/name")
		}
	}
	if size > apivalidation.TotalAnnotationSizeLimitB {
		fail(path+".annotations", fmt.Sprintf("the API server refuses annotations of %d bytes together; at most %d are possible", size, apivalidation.TotalAnnotationSizeLimitB),
			"keep long texts in a ConfigMap")
	}
	return found
}

// at is the value at a path without indexes; nil where there is none.
func (r *Resource) at(path string) any {
	var value any = r.Object
	for _, key := range strings.Split(path, ".") {
		m, ok := value.(map[string]any)
		if !ok {
			return nil
		}
		value = m[key]
	}
	return value
}

// templates are the paths of the pod templates in an object. Kinds of other
// people's controllers count where they have a pod's shape.
func templates(r *Resource) []string {
	var all []string
	for _, path := range []string{"spec.template", "spec.jobTemplate.spec.template"} {
		if _, ok := r.at(path + ".spec.containers").([]any); ok {
			all = append(all, path)
		}
	}
	return all
}

// podSpecs are the paths of the pod specs in an object.
func podSpecs(r *Resource) []string {
	if r.Kind() == "Pod" && r.Group() == "" {
		return []string{"spec"}
	}
	var all []string
	for _, path := range templates(r) {
		all = append(all, path+".spec")
	}
	return all
}

// brief leaves out the regular expression that Kubernetes' messages end with.
func brief(fault string) string {
	text, _, _ := strings.Cut(fault, " (e.g.")
	return text
}
