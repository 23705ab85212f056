// Package sdk runs the official Microsoft Graph clients against the real
// trunklog: the binary is built, started as a process of its own, filled
// through its own commands, and read by msgraph-sdk-go, by the JavaScript Graph
// client and by curl.
//
// It is a module of its own, so that the product does not depend on what only
// its clients need. It knows trunklog by its commands, its files and its
// answers, and imports nothing of it but test/kit.
package sdk
