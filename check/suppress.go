package check

import (
	"cmp"
	"fmt"
	"path"
	"regexp"
	"strings"
)

// AnnotationIgnore is the annotation that suppresses findings about the object
// that carries it: "IST0101 because the host is in another cluster; MS0104
// because …".
const AnnotationIgnore = "meshstorm.io/ignore"

// annotationIstio is Istio's own way to suppress; it has no room for a reason.
const annotationIstio = "galley.istio.io/analyze-suppress"

// Suppression sets findings aside that somebody has decided to live with.
type Suppression struct {
	Code string // exact, "IST0101"
	// Object is "Kind/name" or "Kind/namespace/name", with * and ? as in a shell;
	// for findings about the model the element, "BoundedContext/order". "" and
	// "*" stand for everything.
	Object string
	Reason string // required: without it the suppression has no effect
}

// suppression is a Suppression with where it was written.
type suppression struct {
	Suppression
	resource *Resource // nil for one of the settings
	used     bool
}

var because = regexp.MustCompile(`(?i)^(\S+)\s+because\s+(\S.*)$`)

// suppress splits the findings into those that stand and those that are
// suppressed, and remarks on suppressions that have no reason or no use.
func suppress(in *Input, found []Finding) (kept []Finding, set []SuppressedFinding, remarks []Finding) {
	all, remarks := suppressions(in)
	for _, f := range found {
		s := firstMatch(all, f)
		if s == nil {
			kept = append(kept, f)
			continue
		}
		s.used = true
		set = append(set, SuppressedFinding{Finding: f, Reason: s.Reason, InSource: s.resource != nil})
	}
	for _, s := range all {
		if s.used {
			continue
		}
		remarks = append(remarks, s.remark(CodeUnusedSuppressed, Info,
			fmt.Sprintf("%s is suppressed here (because %s), but nothing finds it", s.Code, s.Reason),
			"remove the suppression, or it will hide the next such finding"))
	}
	return kept, set, remarks
}

func firstMatch(all []*suppression, f Finding) *suppression {
	// MS0001 says that a check did not run; no object's annotation may hide it.
	if f.Code == CodeInternal {
		return nil
	}
	for _, s := range all {
		if s.matches(f) {
			return s
		}
	}
	return nil
}

func (s *suppression) matches(f Finding) bool {
	if s.Code != f.Code {
		return false
	}
	if s.resource != nil {
		return f.Object != nil && s.resource.ID() == *f.Object
	}
	if s.Object == "" || s.Object == "*" {
		return true
	}
	if f.Object == nil {
		ok, err := path.Match(s.Object, f.Source)
		return ok && err == nil
	}
	return matchObject(s.Object, *f.Object)
}

func matchObject(glob string, o Object) bool {
	name := o.Kind + "/" + o.Name
	if strings.Count(glob, "/") == 2 {
		name = o.Kind + "/" + o.Namespace + "/" + o.Name
	}
	ok, err := path.Match(glob, name)
	return ok && err == nil
}

// suppressions gathers what the settings and the objects' annotations
// suppress. The ones that cannot count come back as findings.
func suppressions(in *Input) (all []*suppression, remarks []Finding) {
	add := func(s *suppression) {
		if strings.TrimSpace(s.Reason) == "" {
			remarks = append(remarks, s.remark(CodeNoReason, Warning,
				fmt.Sprintf("%q suppresses nothing, because it gives no reason", s.Code),
				fmt.Sprintf("write why it is safe to ignore: \"%s because …\"", s.Code)))
			return
		}
		all = append(all, s)
	}
	for _, s := range in.Suppressions {
		add(&suppression{Suppression: s})
	}
	for _, r := range in.Resources() {
		for _, part := range strings.Split(r.Annotation(AnnotationIgnore), ";") {
			part = strings.TrimSpace(part)
			if part == "" {
				continue
			}
			s := &suppression{Suppression: Suppression{Code: part}, resource: r}
			if m := because.FindStringSubmatch(part); m != nil {
				s.Code, s.Reason = m[1], m[2]
			}
			add(s)
		}
		for _, code := range strings.Split(r.Annotation(annotationIstio), ",") {
			if code = strings.TrimSpace(code); code != "" {
				f := r.Finding(CodeNoReason, Warning, "metadata.annotations",
					fmt.Sprintf("the annotation %s=%s suppresses nothing here, because it gives no reason", annotationIstio, code))
				f.Fix = fmt.Sprintf("add the annotation %s: \"%s because …\"", AnnotationIgnore, code)
				remarks = append(remarks, f)
			}
		}
	}
	return all, remarks
}

func (s *suppression) remark(code string, severity Severity, message, fix string) Finding {
	if s.resource != nil {
		f := s.resource.Finding(code, severity, "metadata.annotations", message)
		f.Fix = fix
		return f
	}
	return Finding{Code: code, Severity: severity, Fix: fix,
		File:    "meshstorm.yaml",
		Message: fmt.Sprintf("ignore, for %s: %s", cmp.Or(s.Object, "all objects"), message)}
}
