//go:build !unix

package datadir

// NoFollow is nothing where there is no such flag.
const NoFollow = 0
