package gateway

import "sandkeeper/openshell"

// clean makes one bounded line, without control characters, of an error that may quote foreign text.
func clean(err error) string { return openshell.OneLine(err.Error(), 300) }
