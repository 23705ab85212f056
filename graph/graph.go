// Package graph holds the wire form of Microsoft Graph's call log: how a row
// of the log is written in JSON.
package graph
