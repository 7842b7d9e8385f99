package check

import (
	"context"
	"fmt"
	"time"

	networking "istio.io/api/networking/v1alpha3"
)

// Codes of timeouts and retries that do not fit each other.
const (
	CodeTryTimeout = "MS0701" // a try may take as long as all of them
	CodeTriesFit   = "MS0702" // not all tries fit into the timeout
	CodeRetriesOff = "MS0703" // retries without attempts
)

// Timeouts looks for retries that can never run.
func Timeouts() Rule {
	return Rule{
		Codes: []string{CodeTryTimeout, CodeTriesFit, CodeRetriesOff},
		Name:  "timeouts",
		Doc:   "A single try may take as long as the whole request, so a slow one is never repeated.",
		CodeDocs: map[string]string{
			CodeTriesFit:   "The tries that a rule allows do not fit into its timeout.",
			CodeRetriesOff: "Retries that say no number of attempts, or 0, are switched off, whatever else they say.",
		},
		Rows: []Row{
			{Code: CodeTryTimeout, Severity: "error",
				Means: "`perTryTimeout` is not shorter than `timeout`: a slow request fails at the timeout without a single retry",
				Todo:  "shorten `perTryTimeout`, or lengthen `timeout`"},
			{Code: CodeTriesFit, Severity: "warning",
				Means: "the first try and all `attempts` take longer than `timeout` if each is slow: the last ones never run to their end",
				Todo:  "let `timeout` be `perTryTimeout` times (1 + `attempts`), or lower `attempts`"},
			{Code: CodeRetriesOff, Severity: "warning",
				Means: "`retries` without `attempts`, or with 0, switches retries off, Istio's default ones included; what else it says has no effect",
				Todo:  "write `attempts`, or only `attempts: 0`"},
		},
		Run: func(_ context.Context, in *Input) []Finding {
			var found []Finding
			for _, vs := range in.Mesh().VirtualServices {
				for i, h := range vs.Spec.GetHttp() {
					found = append(found, timeouts(vs, h, fmt.Sprintf("spec.http[%d]", i))...)
				}
			}
			return found
		},
	}
}

// maxAttempts keeps what people write within what can be multiplied.
const maxAttempts = 1 << 20

func timeouts(vs *VirtualService, h *networking.HTTPRoute, field string) []Finding {
	r := h.GetRetries()
	if r == nil {
		return nil
	}
	if r.GetAttempts() <= 0 {
		return retriesOff(vs, r, field)
	}
	whole, try := h.GetTimeout().AsDuration(), r.GetPerTryTimeout().AsDuration()
	if whole <= 0 || try <= 0 {
		return nil // no limit of the whole, or each try may take all of it
	}
	if try >= whole {
		f := vs.Finding(CodeTryTimeout, Error, field+".retries.perTryTimeout",
			fmt.Sprintf("perTryTimeout %s is not shorter than the rule's timeout %s: Envoy takes no notice of it, and a slow request fails after %s without one of its %d retries",
				short(try), short(whole), short(whole), r.GetAttempts()))
		f.Fix = fmt.Sprintf("shorten perTryTimeout to %s or less, so that %d tries fit, or lengthen the timeout to %s",
			short(whole/time.Duration(tries(r))), tries(r), short(try*time.Duration(tries(r))))
		return []Finding{f}
	}
	if needed := try * time.Duration(tries(r)); needed > whole {
		f := vs.Finding(CodeTriesFit, Warning, field+".retries.attempts",
			fmt.Sprintf("%d tries of %s (the first and %d retries) need %s, but the timeout ends the request after %s: if each is slow, only %d of them run to their end",
				tries(r), short(try), r.GetAttempts(), short(needed), short(whole), whole/try))
		f.Fix = fmt.Sprintf("lengthen the timeout to %s, or allow fewer or shorter tries", short(needed))
		return []Finding{f}
	}
	return nil
}

func tries(r *networking.HTTPRetry) int { return 1 + int(min(r.GetAttempts(), maxAttempts)) }

// short writes a duration without parts that are zero: 2s, 1m30s, 250ms.
func short(d time.Duration) string {
	s := d.String()
	if d >= time.Minute && d%time.Minute == 0 {
		s = s[:len(s)-2]
	}
	if d >= time.Hour && d%time.Hour == 0 {
		s = s[:len(s)-2]
	}
	return s
}

// retriesOff follows ConvertPolicy in pilot/pkg/networking/core/route/retry:
// without attempts there is no policy at all. Istio's validation refuses other
// fields beside it, but not all of them.
func retriesOff(vs *VirtualService, r *networking.HTTPRetry, field string) []Finding {
	if r.GetAttempts() < 0 || r.GetPerTryTimeout() != nil || r.GetRetryOn() != "" || r.GetRetryRemoteLocalities() != nil {
		return nil // refused
	}
	var idle []string
	if r.GetBackoff() != nil {
		idle = append(idle, "backoff")
	}
	if r.GetRetryIgnorePreviousHosts() != nil {
		idle = append(idle, "retryIgnorePreviousHosts")
	}
	if vs.Document.Get(field+".retries.attempts") == nil {
		f := vs.Finding(CodeRetriesOff, Warning, field+".retries",
			"retries without attempts switches retries off, and Istio's two default ones with them")
		f.Fix = "write attempts: 2 to keep as many as Istio's default has, or attempts: 0 if none are wanted"
		return []Finding{f}
	}
	if len(idle) == 0 {
		return nil
	}
	f := vs.Finding(CodeRetriesOff, Warning, field+".retries."+idle[0],
		fmt.Sprintf("attempts: 0 switches retries off, so %s beside it has no effect", listed(idle)))
	f.Fix = "remove " + listed(idle) + ", or say how many attempts there may be"
	for _, name := range idle {
		f.Edits = append(f.Edits, RemoveField(vs.Document, field+".retries."+name))
	}
	return []Finding{f}
}
