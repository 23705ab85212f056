package csv

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/trunklog/trunklog/call"
)

// fieldMaps give the origin of each field of a row.
type fieldMaps []fieldMap

func (fs *fieldMaps) read(n *yaml.Node) error {
	n = resolve(n)
	if n.Kind != yaml.MappingNode {
		return mapError(n, "fields must be names and columns, such as callerNumber: src")
	}
	for i := 0; i < len(n.Content); i += 2 {
		name := n.Content[i]
		f, ok := call.FieldNamed(name.Value)
		if !ok || f.Type() == call.List {
			return mapError(name, "unknown field %q%s", name.Value, suggest(name.Value, fieldNames()))
		}
		if slices.ContainsFunc(*fs, func(fm fieldMap) bool { return fm.field == f }) {
			return mapError(name, "field %s is there twice", f)
		}
		fm, err := parseField(f, n.Content[i+1])
		if err != nil {
			return err
		}
		*fs = append(*fs, fm)
	}
	return nil
}

func fieldNames() (names []string) {
	for f := range call.NumFields {
		if f.Type() != call.List {
			names = append(names, f.String())
		}
	}
	return names
}

// A mapField is the long form of a field in a map, which has more than a column.
type mapField struct {
	Column   columnRefs `yaml:"column"`
	Constant text       `yaml:"constant"`
	Values   pairs      `yaml:"values"`
	Default  text       `yaml:"default"`
	Unit     text       `yaml:"unit"`
}

// parseField reads the origin of one field: a column, or an object.
func parseField(f call.Field, n *yaml.Node) (fieldMap, error) {
	fm := fieldMap{field: f, line: n.Line}
	n = resolve(n)
	if n.Kind != yaml.MappingNode {
		return fm, fm.columns.read(n)
	}
	var m mapField
	if err := decodeKeys(n, &m); err != nil {
		return fm, err
	}
	fm.columns, fm.constant, fm.values, fm.unit = m.Column, m.Constant.s, m.Values, m.Unit.s
	if m.Default.given() {
		fm.fallback = &m.Default.s
	}
	constant := m.Constant.given()
	switch {
	case constant && (len(fm.columns) > 0 || fm.values != nil || fm.fallback != nil):
		return fm, mapError(n, "%s: a constant has no column, values or default", f)
	case !constant && len(fm.columns) == 0:
		return fm, mapError(n, "%s: either column or constant is needed", f)
	case m.Unit.given() && f != call.FieldDuration:
		return fm, mapError(m.Unit.node, "%s has no unit, only duration has", f)
	case m.Unit.given() && !slices.Contains(unitNames, fm.unit):
		return fm, mapError(m.Unit.node, "unknown unit %q%s: %s are possible", fm.unit, suggest(fm.unit, unitNames), strings.Join(unitNames, ", "))
	}
	return fm, nil
}

// A condition holds for the records that have one of some values in a column.
type condition struct {
	column columnRefs // one
	values []string   // in any case; a * at the end matches any ending
}

type conditions []condition

func (cs *conditions) read(n *yaml.Node) error {
	n = resolve(n)
	if n.Kind != yaml.MappingNode {
		return mapError(n, "here must be columns and values, such as lastapp: Dial or lastapp: [Dial, Queue]")
	}
	for i := 0; i < len(n.Content); i += 2 {
		var c condition
		var values texts
		if err := c.column.read(n.Content[i]); err != nil {
			return err
		}
		if err := values.read(n.Content[i+1]); err != nil {
			return err
		}
		for _, v := range values {
			c.values = append(c.values, v.s)
		}
		*cs = append(*cs, c)
	}
	return nil
}

// match returns the condition's value that a field matches, or nil.
func (c *condition) match(s string) *string {
	i := slices.IndexFunc(c.values, func(v string) bool {
		if begin, ok := strings.CutSuffix(v, "*"); ok {
			return len(s) >= len(begin) && strings.EqualFold(s[:len(begin)], begin)
		}
		return strings.EqualFold(s, v)
	})
	if i < 0 {
		return nil
	}
	return &c.values[i]
}
