package check

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// CodeInvalid is the code of objects that decode and that the API server still
// refuses.
const CodeInvalid = "MS0107"

// Workloads checks Deployments and the like for what the API server refuses
// beyond types: see Kubernetes' pkg/apis/{apps,core,policy}/validation.
func Workloads() Rule {
	return Rule{
		Codes: []string{CodeInvalid},
		Name:  "workloads",
		Doc:   "A Kubernetes object decodes, and the API server would refuse it, or its pods could not run.",
		Rows: []Row{
			{Code: CodeInvalid, Severity: "error",
				Means: "the object is refused although every field decodes, or a probe can never succeed",
				Todo:  "follow the finding"},
		},
		Run: func(_ context.Context, in *Input) []Finding {
			var found []Finding
			for _, r := range in.Resources() {
				v := &validator{resource: r}
				v.object(r.Typed())
				found = append(found, v.found...)
			}
			return found
		},
	}
}

// validator gathers the findings about one resource.
type validator struct {
	resource *Resource
	found    []Finding
}

func (v *validator) refuse(field, message, fix string) {
	v.add(Error, field, "the API server refuses this object: "+message, fix)
}

func (v *validator) add(severity Severity, field, message, fix string) {
	f := v.resource.Finding(CodeInvalid, severity, field, message)
	f.Fix = fix
	v.found = append(v.found, f)
}

func (v *validator) object(object any) {
	switch o := object.(type) {
	case *appsv1.Deployment:
		v.selector(o.Spec.Selector, o.Spec.Template.Labels)
		v.rollout(o.Spec.Strategy)
		v.always(&o.Spec.Template.Spec)
	case *appsv1.StatefulSet:
		v.selector(o.Spec.Selector, o.Spec.Template.Labels)
		v.always(&o.Spec.Template.Spec)
	case *appsv1.DaemonSet:
		v.selector(o.Spec.Selector, o.Spec.Template.Labels)
		v.always(&o.Spec.Template.Spec)
	case *appsv1.ReplicaSet:
		v.selector(o.Spec.Selector, o.Spec.Template.Labels)
		v.always(&o.Spec.Template.Spec)
	case *policyv1.PodDisruptionBudget:
		if o.Spec.MinAvailable != nil && o.Spec.MaxUnavailable != nil {
			v.refuse("spec.maxUnavailable", "minAvailable and maxUnavailable exclude each other", "keep one of the two")
		}
	case *autoscalingv2.HorizontalPodAutoscaler:
		v.autoscaler(&o.Spec)
	}
	for path, spec := range podSpecsOf(object) {
		v.pod(path, spec, claims(object))
	}
}

func (v *validator) selector(s *metav1.LabelSelector, template map[string]string) {
	if s == nil || len(s.MatchLabels)+len(s.MatchExpressions) == 0 {
		v.refuse("spec.selector", "it has no selector", "write spec.selector.matchLabels with labels of spec.template")
		return
	}
	selector, err := metav1.LabelSelectorAsSelector(s)
	if err != nil {
		v.refuse("spec.selector", err.Error(), "correct the selector")
		return
	}
	if !selector.Matches(labels.Set(template)) {
		v.refuse("spec.selector", fmt.Sprintf("its selector %s does not match the labels of its own pods (%s)", selector, labels.Set(template)),
			"give spec.template.metadata.labels the labels that the selector asks for; a selector cannot be changed later")
	}
}

func (v *validator) rollout(s appsv1.DeploymentStrategy) {
	if s.Type == appsv1.RecreateDeploymentStrategyType && s.RollingUpdate != nil {
		v.refuse("spec.strategy.rollingUpdate", "strategy Recreate has no rollingUpdate", "remove rollingUpdate, or use type RollingUpdate")
	}
	if s.RollingUpdate == nil {
		return
	}
	if isZero(s.RollingUpdate.MaxSurge) && isZero(s.RollingUpdate.MaxUnavailable) {
		v.refuse("spec.strategy.rollingUpdate", "maxSurge and maxUnavailable are both 0, so no pod could ever be replaced", "set one of them to 1")
	}
}

func isZero(n *intstr.IntOrString) bool {
	return n != nil && (n.Type == intstr.Int && n.IntVal == 0 || n.Type == intstr.String && n.StrVal == "0%")
}

func (v *validator) always(spec *corev1.PodSpec) {
	if p := spec.RestartPolicy; p != "" && p != corev1.RestartPolicyAlways {
		v.refuse("spec.template.spec.restartPolicy", fmt.Sprintf("restartPolicy %s is for Jobs; pods of this kind are always restarted", p), "remove restartPolicy")
	}
}

func (v *validator) autoscaler(s *autoscalingv2.HorizontalPodAutoscalerSpec) {
	lowest := int32(1)
	if s.MinReplicas != nil {
		lowest = *s.MinReplicas
	}
	if s.MaxReplicas < 1 {
		v.refuse("spec.maxReplicas", "maxReplicas has to be at least 1", "set maxReplicas")
	} else if s.MaxReplicas < lowest {
		v.refuse("spec.maxReplicas", fmt.Sprintf("maxReplicas %d is below minReplicas %d", s.MaxReplicas, lowest), "set maxReplicas to minReplicas or more")
	}
}
