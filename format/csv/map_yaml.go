package csv

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/trunklog/trunklog/call"
)

// mapError is an error in the line of the map in which n begins.
func mapError(n *yaml.Node, format string, args ...any) error {
	return fmt.Errorf("%w: map line %d: %s", call.ErrInvalid, n.Line, fmt.Sprintf(format, args...))
}

// resolve returns what n stands for if it is an alias.
func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// eachKey calls the function of each key that n has. A key without a function
// is an error.
func eachKey(n *yaml.Node, known map[string]func(*yaml.Node) error) error {
	n = resolve(n)
	names := slices.Sorted(maps.Keys(known))
	if n.Kind != yaml.MappingNode {
		return mapError(n, "here must be keys and values; the keys are %s", strings.Join(names, ", "))
	}
	seen := map[string]bool{}
	for i := 0; i < len(n.Content); i += 2 {
		key := n.Content[i]
		f, ok := known[key.Value]
		switch {
		case !ok:
			return mapError(key, "unknown key %q%s", key.Value, suggest(key.Value, names))
		case seen[key.Value]:
			return mapError(key, "key %s is there twice", key.Value)
		}
		seen[key.Value] = true
		if err := f(n.Content[i+1]); err != nil {
			return err
		}
	}
	return nil
}

// scalarText returns the text of a single value, whether quoted or not.
func scalarText(n *yaml.Node) (string, error) {
	n = resolve(n)
	if n.Kind != yaml.ScalarNode {
		return "", mapError(n, "here must be a single value")
	}
	if n.Tag == "!!null" {
		return "", nil
	}
	return n.Value, nil
}

// texts returns the texts of a list, or of a single value.
func texts(n *yaml.Node) ([]string, error) {
	n = resolve(n)
	if n.Kind != yaml.SequenceNode {
		s, err := scalarText(n)
		return []string{s}, err
	}
	var list []string
	for _, c := range n.Content {
		s, err := scalarText(c)
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
}

func textMap(n *yaml.Node) (map[string]string, error) {
	n = resolve(n)
	if n.Kind != yaml.MappingNode {
		return nil, mapError(n, "values must be pairs, such as ANSWERED: true")
	}
	m := make(map[string]string)
	for i := 0; i < len(n.Content); i += 2 {
		key, err := scalarText(n.Content[i])
		if err != nil {
			return nil, err
		}
		if _, twice := m[key]; twice {
			return nil, mapError(n.Content[i], "value %q is there twice", key)
		}
		if m[key], err = scalarText(n.Content[i+1]); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// suggest returns " (did you mean …?)" if one of the names is near what was
// written, and else nothing.
func suggest(written string, names []string) string {
	best, least := "", 1+min(max(2, len(written)/4), 4)
	for _, name := range names {
		if d := distance(strings.ToLower(written), strings.ToLower(name)); d < least {
			best, least = name, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %q?)", best)
}

// distance is how many characters must be put in, taken out or replaced to
// make b of a (Levenshtein). Of long texts only the beginning counts.
func distance(a, b string) int {
	const most = 64
	a, b = a[:min(len(a), most)], b[:min(len(b), most)]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
