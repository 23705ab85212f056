package csv

import (
	"embed"
	"path"
	"slices"
	"strings"
)

//go:embed maps/*.yaml
var readyMaps embed.FS

// ReadyMaps returns the names of the built-in maps: for switches that write one plain line a call,
// always in the same columns.
func ReadyMaps() (names []string) {
	entries, err := readyMaps.ReadDir("maps")
	if err != nil {
		return nil // this cannot fail: the files are part of the binary
	}
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".yaml"))
	}
	return names
}

// ReadyMap returns the built-in map of that name.
func ReadyMap(name string) (yaml []byte, ok bool) {
	yaml, err := readyMaps.ReadFile(path.Join("maps", name+".yaml"))
	return yaml, err == nil
}

// KnowsZone reports whether the built-in map of that name knows the zone of its files' times. If
// not, they are in the site's own zone, and only the user can name it.
func KnowsZone(name string) bool { return !slices.Contains([]string{"asterisk", "freeswitch"}, name) }
