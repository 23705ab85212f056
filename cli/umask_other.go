//go:build !unix

package cli

// private does nothing where files have no mode.
func private() {}
