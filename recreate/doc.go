// Package recreate answers one question: how does a sandbox that is gone come back from its backup, once and whole? It
// is made from its recipe, watched until it stays Ready, given its home back, and left in the phase that it had. A
// journal lets the same call go on where a killed one ended.
package recreate
