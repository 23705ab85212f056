//go:build !unix

package cli

// private does nothing where files have no mode.
func private() {}

// noFollow is nothing where there is no such flag.
const noFollow = 0
