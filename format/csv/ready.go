package csv

import (
	"embed"
	"path"
	"slices"
	"strings"
)

//go:embed maps/*.yaml
var readyMaps embed.FS

// ReadyMaps returns the names of the maps that come with trunklog: for switches that
// write one plain line a call, always in the same columns.
func ReadyMaps() (names []string) {
	entries, err := readyMaps.ReadDir("maps")
	if err != nil {
		return nil // there is no such error: they are part of the binary
	}
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".yaml"))
	}
	return names
}

// ReadyMap returns the map of that name that comes with trunklog.
func ReadyMap(name string) (yaml []byte, ok bool) {
	yaml, err := readyMaps.ReadFile(path.Join("maps", name+".yaml"))
	return yaml, err == nil
}

// KnowsZone reports whether the map of that name that comes with trunklog knows in
// which zone the times of its files are. Where it does not they are the site's own,
// and are read right only if somebody says which that is.
func KnowsZone(name string) bool { return !slices.Contains([]string{"asterisk", "freeswitch"}, name) }
