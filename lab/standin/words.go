package standin

import (
	"slices"
	"strings"
	"unicode"
)

// words splits a sticker's name at case changes and at everything that is no
// letter or digit: "OrderPlaced" and "order placed" are order, placed.
func words(name string) []string {
	var out []string
	var word []rune
	flush := func() {
		if len(word) > 0 {
			out = append(out, strings.ToLower(string(word)))
			word = word[:0]
		}
	}
	runes := []rune(name)
	for i, r := range runes {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			flush()
			continue
		case unicode.IsUpper(r) && i > 0 &&
			(!unicode.IsUpper(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1])):
			flush()
		}
		word = append(word, r)
	}
	flush()
	return out
}

// camel is the name of a field or link relation: "Taxi Driver" is taxiDriver.
func camel(name string) string {
	list := words(name)
	for i, w := range list {
		if i > 0 {
			r := []rune(w)
			list[i] = string(unicode.ToUpper(r[0])) + string(r[1:])
		}
	}
	return strings.Join(list, "")
}

// irregular are past forms that no suffix makes.
var irregular = map[string]string{
	"sent": "send", "paid": "pay", "made": "make", "bought": "buy", "sold": "sell", "taken": "take", "given": "give",
	"written": "write", "begun": "begin", "done": "do", "found": "find", "held": "hold", "left": "leave", "lost": "lose",
	"put": "put", "set": "set", "withdrawn": "withdraw", "chosen": "choose", "built": "build", "spent": "spend",
}

// stem brings a verb's past and present to one form: placed and place are plac,
// cancelled and canceled are cancel. Korean 됨 is what -ed is.
func stem(word string) string {
	if base, ok := irregular[word]; ok {
		word = base
	}
	for _, suffix := range []string{"됐음", "되었음", "됨", "함", "하기"} {
		if cut, ok := strings.CutSuffix(word, suffix); ok && cut != "" {
			return cut
		}
	}
	if cut, ok := strings.CutSuffix(word, "ied"); ok && len(cut) > 1 {
		return cut + "y"
	}
	for _, suffix := range []string{"ed", "ing"} {
		if cut, ok := strings.CutSuffix(word, suffix); ok && len(cut) > 2 {
			word = cut
			break
		}
	}
	word = strings.TrimSuffix(word, "e")
	if n := len(word); n > 2 && word[n-1] == word[n-2] && word[n-1] >= 'a' {
		word = word[:n-1]
	}
	return word
}

// saying is a name without the order and the tense of its words, so that
// StartDelivery and DeliveryStarted are the same.
func saying(name string) string {
	var out []string
	for _, w := range words(name) {
		out = append(out, stem(w))
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// intent is what the verb in a name does to an item.
type intent int

const (
	creates intent = iota
	updates
	cancels
	increases
	decreases
)

// verbs are looked for in this order. Everything else creates.
var verbs = []struct {
	intent intent
	stems  string
	korean []string
}{
	{decreases, "decreas reduc subtract deduct decrement withdraw", []string{"차감", "감소"}},
	{increases, "increas increment restock replenish deposit accumulat", []string{"증가", "적립"}},
	{cancels, "cancel delet remov revok terminat discard reject refund unregister", []string{"취소", "삭제", "제거", "거절"}},
	{updates, "updat chang modify edit complet finish extend return approv confirm assign accept adjust set mark clos end",
		[]string{"변경", "수정", "갱신", "완료", "승인", "확정"}},
}

// intentOf reads the verb of a command's, policy's or event's name.
func intentOf(name string) intent {
	list := words(name)
	for _, v := range verbs {
		for _, w := range list {
			if slices.Contains(strings.Fields(v.stems), stem(w)) {
				return v.intent
			}
		}
		for _, k := range v.korean {
			if strings.Contains(name, k) {
				return v.intent
			}
		}
	}
	return creates
}
