package browser_test

import (
	"testing"

	"github.com/meshstorm/meshstorm/e2e/browser"
)

func TestFindingsAreSaidInKoreanWithTheProgramsOwnWordsBeside(t *testing.T) {
	s := browser.Start(t)
	shop(t, s)
	p := s.Open(t, "ko-KR")
	p.Goto("/w/shop/code")
	p.Sees("레지스트리가 자리 표시자입니다.")
	p.Sees("ErrImagePull")
	p.Shot("findings")
	p.Click("button", "English")
	p.Until(`!document.body.innerText.includes('자리 표시자')`)
	p.Sees("ErrImagePull")
}
