// Package size answers one question: how is a number, of bytes or of things, said to people?
package size

import "fmt"

// Text is n bytes in decimal units, as disks are sold and df -H counts: "812 B", "3.2 GB".
func Text(n int64) string {
	const units = "kMGTPE"
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	value, unit := float64(n)/1000, 0
	for value >= 999.95 && unit < len(units)-1 {
		value /= 1000
		unit++
	}
	return fmt.Sprintf("%.1f %cB", value, units[unit])
}
