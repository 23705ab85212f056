//go:build !unix

package datadir

// NoFollow is 0 because the system has no such flag.
const NoFollow = 0
