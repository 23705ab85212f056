package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
)

// storeFolder returns the folder of the store that spec names, empty if it is
// not in a folder of this machine. An empty spec is the one in the data folder.
func storeFolder(spec, data string) string {
	if spec == "" {
		return storePath(data)
	}
	rest, ok := strings.CutPrefix(spec, "pebble:")
	if !ok {
		return ""
	}
	dir, _, _ := strings.Cut(rest, "?")
	return strings.TrimPrefix(dir, "//")
}

// openFolders returns a warning for each of the folders that others than the
// owner can open. There are telephone numbers in them, and the keys with which
// one can sign in. Where a mode says nothing of the kind there is no warning.
func openFolders(dirs ...string) []string {
	var warnings []string
	for _, dir := range dirs {
		info, err := os.Stat(dir)
		if dir == "" || err != nil || runtime.GOOS == "windows" || info.Mode().Perm()&0o077 == 0 {
			continue
		}
		warnings = append(warnings, fmt.Sprintf("others than its owner can open %s (mode %#o): run chmod 700 on it", dir, info.Mode().Perm()))
	}
	return warnings
}
