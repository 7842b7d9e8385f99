package browser_test

import (
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/e2e/browser"
)

// The last line is about to be written.
const extra = `apiVersion: v1
kind: Service
metadata:
  name: extra
  namespace: default
spec:
  selector: {app: order}
  ports:
    - port: 80
  tyep: ClusterIP
  sessionAffinity: `

// said is what the editor's list of problems has about a word.
func said(word string) string {
	return `[...document.querySelectorAll('.cm-panel-lint li')].map((l) => l.innerText).filter((t) => t.includes('` + word + `'))`
}

func TestWhatDoesNotFitTheSchemaIsMarkedWhileItIsTypedAndSaidOnce(t *testing.T) {
	s := browser.Start(t)
	shop(t, s)
	const path = "shop/kubernetes/own.yaml"
	s.Write(path, extra)
	p := s.Open(t, "en-US")
	p.Goto("/w/shop/code/kubernetes/own.yaml")
	p.Until(`document.querySelector('.cm-content')?.innerText.includes('extra')`)
	p.Click("textbox", "/own.yaml/")
	p.Press("Ctrl+End")
	p.Type("Sometimes")
	p.Until(`document.querySelectorAll('.cm-lintRange-error').length >= 2`)
	p.Press("Ctrl+Shift+M")
	// The server does not say this; the schema does.
	p.Until(said("sessionAffinity") + `.some((t) => t.includes('Expected one of') && t.includes('ClientIP'))`)
	// This both say, and the server's words stay.
	p.Until(said("tyep") + `.some((t) => t.includes('MS0101'))`)
	p.Until(said("tyep") + `.length === 1`)
	p.Shot("schema")
	p.Axe("Code")
	p.Click("button", "한국어")
	p.Click("textbox", "/own.yaml/")
	p.Press("Ctrl+Shift+M")
	p.Until(said("sessionAffinity") + `.some((t) => t.includes('다음 중 하나여야 합니다'))`)

	fixed := strings.NewReplacer("tyep", "type", "Sometimes", "ClientIP")
	browser.Eventually(t, "what was typed is saved", func() bool { return strings.Contains(s.Read(path), "Sometimes") })
	s.Write(path, fixed.Replace(s.Read(path)))
	p.Until(`document.querySelector('.cm-content').innerText.includes('ClientIP') && document.querySelectorAll('.cm-lintRange-error').length === 0`)
}
