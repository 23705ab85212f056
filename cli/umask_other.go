//go:build !unix

package cli

// private does nothing on systems whose files have no mode.
func private() {}
