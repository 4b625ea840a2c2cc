package text

import "strings"

// Nearest are the names that word begins, or that differ from it by a typing error or two.
func Nearest(word string, names []string) []string {
	var near []string
	for _, name := range names {
		begun := len(strings.TrimLeft(word, "-")) > 1 && strings.HasPrefix(name, strings.ToLower(word))
		if begun || typingErrors(strings.ToLower(word), name) <= min(2, len(name)/3) {
			near = append(near, name)
		}
	}
	return near
}

// typingErrors counts the letters that were left out, added, exchanged with the next one or mistaken between a and b.
func typingErrors(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			mistaken := 0
			if a[i-1] != b[j-1] {
				mistaken = 1
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+mistaken)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}

	return rows[len(a)][len(b)]
}
