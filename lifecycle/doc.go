// Package lifecycle answers who else has a say when a sandbox is created or deleted. It puts an ordered chain of
// extensions around a compute driver: the surface of OpenShell's RFC 0005 "Compute Driver Lifecycle Extensions", in Go.
//
// A Chain wraps any Driver and is a Driver itself; the driver never learns of it. Extensions may add to a request,
// never change what is there; what they must remember is kept in a Store, one versioned blob for each sandbox and
// extension, in the same transactions as the record of the sandbox, written before the driver is called, so that a
// process killed at any point leaves something the next Reconcile can finish.
//
// Extensions are linked in, not loaded. A program hands a Registry of Definitions to Configure; a downstream adds its
// own Definitions to that value and needs no fork.
package lifecycle
