package picture

import (
	"os"
	"sync"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/font/sfnt"
)

// hangul are the places where systems keep a font with Hangul.
var hangul = []string{
	"/usr/share/fonts/truetype/nanum/NanumGothic.ttf",
	"/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
	"/usr/share/fonts/noto-cjk/NotoSansCJK-Regular.ttc",
	"/usr/share/fonts/google-noto-cjk/NotoSansCJK-Regular.ttc",
	"/usr/share/fonts/truetype/unfonts-core/UnDotum.ttf",
	"/System/Library/Fonts/AppleSDGothicNeo.ttc",
	`C:\Windows\Fonts\malgun.ttf`,
}

// system is a font of this machine for what the embedded ones do not have; nil
// where there is none.
var system = sync.OnceValue(func() *sfnt.Font {
	for _, path := range hangul {
		data, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		if c, err := opentype.ParseCollection(data); err == nil {
			if f, err := c.Font(0); err == nil {
				return f
			}
		}
	}
	return nil
})

// embedded are Go's own fonts, regular and bold.
var embedded = sync.OnceValue(func() [2]*sfnt.Font {
	regular, _ := opentype.Parse(goregular.TTF) // in the program, so never broken
	bold, _ := opentype.Parse(gobold.TTF)
	return [2]*sfnt.Font{regular, bold}
})

type faceKey struct {
	size       float64
	bold, more bool
}

// letters gives faces for letters, at one scale.
type letters struct {
	scale   float64
	faces   map[faceKey]font.Face
	buffer  sfnt.Buffer
	missing bool
}

func newLetters(scale float64) *letters {
	return &letters{scale: scale, faces: map[faceKey]font.Face{}}
}

func (l *letters) face(r rune, size float64, bold bool) font.Face {
	own := embedded()[0]
	if bold {
		own = embedded()[1]
	}
	key := faceKey{size: size, bold: bold}
	chosen := own
	if i, err := own.GlyphIndex(&l.buffer, r); err != nil || i == 0 {
		more := system()
		if more != nil {
			if i, err := more.GlyphIndex(&l.buffer, r); err == nil && i != 0 {
				chosen, key.more = more, true
			}
		}
		l.missing = l.missing || !key.more
	}
	if f := l.faces[key]; f != nil {
		return f
	}
	f, err := opentype.NewFace(chosen, &opentype.FaceOptions{Size: size * l.scale, DPI: 72, Hinting: font.HintingNone})
	if err != nil {
		f, _ = opentype.NewFace(own, &opentype.FaceOptions{Size: size * l.scale, DPI: 72}) // the embedded one always can
	}
	l.faces[key] = f
	return f
}

// length is how wide a text is, in the deploy screen's pixels.
func (l *letters) length(s string, size float64, bold bool) float64 {
	sum := 0.0
	for _, r := range s {
		if a, ok := l.face(r, size, bold).GlyphAdvance(r); ok {
			sum += float64(a) / 64 / l.scale
		}
	}
	return sum
}
