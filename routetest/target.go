package routetest

import (
	"fmt"
	"math"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/meshstorm/meshstorm/simulate/answer"
)

// target is what `to` says: shares of the traffic, or one of the answers that
// need no upstream.
type target struct {
	shares   []share
	kind     targetKind
	status   int // 0 for any
	flag     string
	location string // "" for any
	text     string // as written
}

type targetKind int

const (
	toShares targetKind = iota
	toStatus
	toRedirect
	toRespond
	toNoListener
)

// share is one destination and its part of the traffic.
type share struct {
	host, subset string
	port         int
	percent      float64
	decimals     int    // of percent as written
	given        bool   // percent was written
	flag         string // the share is known to fail so
}

var (
	destinationText = regexp.MustCompile(`^([A-Za-z0-9*_][A-Za-z0-9*._-]*)(?:@([A-Za-z0-9._-]+))?(?::([0-9]{1,5}))?$`)
	percentText     = regexp.MustCompile(`^([0-9]{1,3})(\.[0-9]+)?%?$`)
	statusText      = regexp.MustCompile(`^[1-5][0-9][0-9]$`)
	statusTypo      = regexp.MustCompile(`^[0-9]+$|^[0-9][0-9xX]{2}$`)
	flagText        = regexp.MustCompile(`^(NR|NC|UH)$`)
)

// parseTarget reads the grammar of `to`; errors say what was expected.
func parseTarget(text string) (*target, error) {
	t := &target{text: strings.Join(strings.Fields(text), " ")}
	words := strings.Fields(text)
	switch {
	case len(words) == 0:
		return nil, fmt.Errorf("is empty")
	case t.text == "no listener":
		t.kind = toNoListener
		return t, nil
	case words[0] == "redirect":
		return t, t.redirect(words[1:])
	case words[0] == "respond":
		t.kind = toRespond
		if len(words) != 2 || !statusText.MatchString(words[1]) {
			return nil, fmt.Errorf("is %q, expected respond STATUS, such as respond 418", text)
		}
		t.status, _ = strconv.Atoi(words[1])
		return t, nil
	case statusText.MatchString(words[0]) || flagText.MatchString(words[0]):
		return t, t.failure(words)
	}
	return t, t.split(text)
}

func (t *target) redirect(words []string) error {
	t.kind = toRedirect
	if len(words) > 0 && statusText.MatchString(words[0]) {
		t.status, _ = strconv.Atoi(words[0])
		words = words[1:]
	}
	if len(words) == 1 {
		t.location, words = words[0], nil
	}
	if len(words) > 0 {
		return fmt.Errorf("is %q, expected redirect [CODE] [URL], such as redirect 301 https://shop.example/new", t.text)
	}
	return nil
}

func (t *target) failure(words []string) error {
	t.kind = toStatus
	for i, w := range words {
		switch {
		case i == 0 && statusText.MatchString(w):
			t.status, _ = strconv.Atoi(w)
		case i == len(words)-1 && i < 2 && flagText.MatchString(w):
			t.flag = w
		default:
			return fmt.Errorf("is %q, expected STATUS [NR, NC or UH], such as 503 UH", t.text)
		}
	}
	return nil
}

func (t *target) split(text string) error {
	for part := range strings.SplitSeq(text, ",") {
		s, err := parseShare(part)
		if err != nil {
			return err
		}
		t.shares = append(t.shares, s)
	}
	if len(t.shares) == 1 && !t.shares[0].given {
		t.shares[0].percent = 100
		return nil
	}
	sum, decimals := 0.0, 0
	for _, s := range t.shares {
		if !s.given {
			return fmt.Errorf("is %q, expected a percentage behind each destination, such as order@stable 90, order@canary 10", t.text)
		}
		sum += s.percent
		decimals = max(decimals, s.decimals)
	}
	// 33.3, 33.3 and 33.3 are as near to 100 as they can be.
	if slack := float64(len(t.shares)) / math.Pow10(decimals); decimals == 0 && sum != 100 || math.Abs(sum-100) > slack {
		return fmt.Errorf("is %q, whose percentages add up to %s, expected 100", t.text, number(sum))
	}
	return nil
}

// parseShare reads HOST[.NAMESPACE][@SUBSET][:PORT] [PERCENT] [FLAG].
func parseShare(text string) (share, error) {
	words := strings.Fields(text)
	if len(words) == 0 {
		return share{}, fmt.Errorf("has an empty destination")
	}
	m := destinationText.FindStringSubmatch(words[0])
	if m == nil {
		return share{}, fmt.Errorf("has the destination %q, expected HOST[.NAMESPACE][@SUBSET][:PORT], a status such as 404, redirect or respond", words[0])
	}
	if statusTypo.MatchString(words[0]) {
		return share{}, fmt.Errorf("is %q, expected a status from 100 to 599, or a host", words[0])
	}
	s := share{host: m[1], subset: m[2]}
	s.port, _ = strconv.Atoi(m[3])
	if s.port > 65535 {
		return share{}, fmt.Errorf("has the port %d, expected at most 65535", s.port)
	}
	for _, w := range words[1:] {
		p := percentText.FindStringSubmatch(w)
		switch {
		case p != nil && !s.given && s.flag == "":
			s.percent, _ = strconv.ParseFloat(p[1]+p[2], 64)
			s.decimals, s.given = max(len(p[2])-1, 0), true
		case flagText.MatchString(w) && s.flag == "":
			s.flag = w
		default:
			return share{}, fmt.Errorf("has %q behind %s, expected a percentage", w, words[0])
		}
	}
	return s, nil
}

// fits reports whether a destination is one of the share's; what the share does
// not say may be anything.
func (s share) fits(d answer.Destination) bool {
	return fitsHost(s.host, d.Host) && (s.subset == "" || s.subset == d.Subset) && (s.port == 0 || s.port == d.Port)
}

// narrow is how much a share says; of several that fit, the narrowest counts.
func (s share) narrow() int {
	n := strings.Count(s.host, ".")
	if s.subset != "" {
		n += 100
	}
	if s.port != 0 {
		n += 50
	}
	return n
}

// serviceRest is what may follow a short host in the full name of a Service.
var serviceRest = regexp.MustCompile(`^(?:[a-z0-9-]+\.)?svc(?:\.|$)`)

// fitsHost reports whether a host as people write it means the full name:
// order, order.shop and order.shop.svc all mean order.shop.svc.cluster.local.
func fitsHost(short, full string) bool {
	if strings.EqualFold(short, full) {
		return true
	}
	if len(full) <= len(short) || !strings.EqualFold(full[:len(short)], short) || full[len(short)] != '.' {
		return false
	}
	rest := full[len(short)+1:]
	switch strings.Count(short, ".") {
	case 0, 1:
		return serviceRest.MatchString(rest) && strings.HasPrefix(rest, "svc") == (strings.Count(short, ".") == 1)
	}
	return strings.HasSuffix(short, ".svc")
}

func (t *target) check(a *answer.Answer) []Failure {
	ok := false
	switch t.kind {
	case toShares:
		return t.checkShares(a)
	case toStatus:
		ok = a.Outcome != answer.OutcomeRoute && (t.status == 0 || t.status == a.Status) && (t.flag == "" || t.flag == a.Flag)
	case toRedirect:
		ok = a.Redirect != nil && (t.status == 0 || t.status == a.Redirect.Code) && (t.location == "" || encodeLetters(t.location) == a.Redirect.Location)
	case toRespond:
		ok = a.Direct != nil && t.status == a.Direct.Status
	case toNoListener:
		ok = a.Closed
	}
	if ok {
		return nil
	}
	return []Failure{{What: "to", Expected: t.text, Actual: result(a)}}
}

func (t *target) checkShares(a *answer.Answer) []Failure {
	fail := []Failure{{What: "to", Expected: t.text, Actual: result(a)}}
	if a.Outcome != answer.OutcomeRoute {
		flagged := len(t.shares) == 1 && t.shares[0].flag != "" && t.shares[0].flag == a.Flag
		if !flagged {
			return fail
		}
	}
	got := make([]float64, len(t.shares))
	for _, d := range a.Destinations {
		if d.Share == 0 {
			continue
		}
		best := -1
		for i, s := range t.shares {
			if s.fits(d) && (best < 0 || s.narrow() > t.shares[best].narrow()) {
				best = i
			}
		}
		if best < 0 || d.Flag != t.shares[best].flag {
			return fail
		}
		got[best] += 100 * d.Share
	}
	for i, s := range t.shares {
		if !near(got[i], s.percent, s.decimals) {
			return fail
		}
	}
	return nil
}

// near compares a percentage with one as written: whole numbers exactly,
// decimals as far as they go, for no decimal is a third.
func near(got, want float64, decimals int) bool {
	if decimals == 0 {
		return math.Abs(got-want) < 1e-9
	}
	return math.Abs(got-want) <= 0.5/math.Pow10(decimals)+1e-9
}

// result is an answer in the grammar of `to`.
func result(a *answer.Answer) string {
	switch {
	case a.Outcome == answer.OutcomeUnsupported:
		return unsupported(a)
	case a.Redirect != nil:
		return fmt.Sprintf("redirect %d %s", a.Redirect.Code, a.Redirect.Location)
	case a.Direct != nil:
		return fmt.Sprintf("respond %d", a.Direct.Status)
	case a.Closed:
		return because("no listener", a.Reason)
	case a.Outcome != answer.OutcomeRoute:
		return because(strings.TrimSpace(fmt.Sprintf("%d %s", max(a.Status, http.StatusContinue), a.Flag)), a.Reason)
	}
	return destinations(a.Destinations)
}

func because(what, why string) string {
	if why == "" {
		return what
	}
	return what + " (" + why + ")"
}

func unsupported(a *answer.Answer) string {
	reason := a.Reason
	if reason == "" {
		reason = strings.Join(a.Unsupport, "; ")
	}
	if !strings.HasPrefix(reason, "unsupported") {
		reason = "unsupported: " + reason
	}
	return reason
}

func destinations(list []answer.Destination) string {
	var parts []string
	for _, d := range list {
		if d.Share == 0 {
			continue
		}
		part := strings.TrimSuffix(d.Host, ".svc.cluster.local")
		if d.Subset != "" {
			part += "@" + d.Subset
		}
		if d.Port != 0 {
			part += fmt.Sprintf(":%d", d.Port)
		}
		if d.Share != 1 {
			part += " " + number(100*d.Share)
		}
		if d.Flag != "" {
			part += " " + d.Flag
		}
		parts = append(parts, part)
	}
	if len(parts) == 0 {
		return "no destination"
	}
	return strings.Join(parts, ", ")
}

// number writes a percentage without needless digits.
func number(f float64) string { return strconv.FormatFloat(math.Round(f*1e6)/1e6, 'f', -1, 64) }
