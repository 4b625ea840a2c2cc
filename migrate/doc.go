// Package migrate answers one question: how do sandboxes get from a host of OpenShell 0.0.x to one of 0.1.x, which is
// no upgrade in place (docs/facts/openshell-0.1.md 5)? It plans, exports a set while the old version still runs, and
// imports it when the new one does.
package migrate
