package studio

import (
	"archive/zip"
	"io"
	"strings"
)

// writeZip packs files into a folder of this name.
func writeZip(w io.Writer, folder string, files []file) error {
	z := zip.NewWriter(w)
	for _, f := range files {
		entry, err := z.Create(folder + "/" + f.path)
		if err != nil {
			return err
		}
		if _, err := entry.Write(f.data); err != nil {
			return err
		}
	}
	return z.Close()
}

// asciiName is a name that may stand in a header.
func asciiName(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.' {
			return r
		}
		return '_'
	}, strings.TrimPrefix(name, examplePrefix))
}
