package check

import "strings"

// nearest gives the word that was most likely meant, or "" where none is near
// enough.
func nearest(word string, words []string) string {
	best, limit := "", len(word)/3+1
	for _, w := range words {
		d := distance(strings.ToLower(word), strings.ToLower(w))
		if d < limit {
			best, limit = w, d
		}
	}
	return best
}

// distance is the number of letters to insert, delete or replace.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
