//go:build !unix

package pebble

// files returns 0: nobody knows how many files the process may have open at once.
func files() uint64 { return 0 }
