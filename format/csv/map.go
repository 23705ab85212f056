package csv

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/trunklog/trunklog/call"
)

// A tableMap says how a table is written and what its columns mean.
type tableMap struct {
	dialect Dialect
	columns []string // names of the columns of a table without a header
	layouts []layout // of times, in the order in which they are tried
	zone    *time.Location
	numbers *numberRules // nil: numbers stay as they came
	witness call.Witness
	key     columnRefs // of what names the call; may be empty
	fields  []fieldMap
	mapped  [call.NumFields]bool // which fields those are
}

// A fieldMap says where a field of a row comes from.
type fieldMap struct {
	field    call.Field
	line     int        // of the map
	columns  columnRefs // whose values are joined by a space; empty for a constant
	constant string
	values   map[string]string // what stands for what; nil if the map has none
	fallback *string           // for what is not in values, or empty
	unit     string            // of a duration; empty is seconds
}

// parseMap reads a map. Its errors name the line.
func parseMap(b []byte) (*tableMap, error) {
	m := &tableMap{zone: time.UTC, witness: call.CDR.Witness()}
	var doc yaml.Node
	if err := yaml.Unmarshal(b, &doc); err != nil {
		return nil, fmt.Errorf("%w: map: %s", call.ErrInvalid, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if len(doc.Content) == 0 {
		return nil, fmt.Errorf("%w: the map of the CSV's columns is missing: it is a YAML file that docs/import-csv.md explains", call.ErrInvalid)
	}
	err := eachKey(doc.Content[0], map[string]func(*yaml.Node) error{
		"delimiter": m.parseDelimiter,
		"header":    m.parseHeader,
		"columns":   func(n *yaml.Node) (err error) { m.columns, err = texts(n); return err },
		"encoding":  m.parseEncoding,
		"times":     m.parseTimes,
		"numbers":   m.parseNumbers,
		"witness":   m.parseWitness,
		"key":       func(n *yaml.Node) (err error) { m.key, err = parseColumns(n); return err },
		"fields":    m.parseFields,
	})
	if err != nil {
		return nil, err
	}
	return m, m.check()
}

// check reports what makes no sense as a whole.
func (m *tableMap) check() error {
	switch {
	case len(m.columns) > 0 && !m.dialect.Headerless:
		return fmt.Errorf("%w: map: columns are named for a table without a header: add 'header: false', or leave columns out", call.ErrInvalid)
	case len(m.fields) == 0:
		return fmt.Errorf("%w: map: fields is missing: it says which column is which", call.ErrInvalid)
	}
	m.dialect.Fields = len(m.columns)
	if err := m.checkValues(); err != nil {
		return err
	}
	for _, f := range []call.Field{call.FieldStart, call.FieldInvite, call.FieldFailure, call.FieldEnd} {
		if m.mapped[f] {
			return nil
		}
	}
	return fmt.Errorf("%w: map: none of startDateTime, inviteDateTime, failureDateTime and endDateTime is in fields: a call without a time has no place in the log", call.ErrInvalid)
}

// checkValues tries what the map itself says in place of a record.
func (m *tableMap) checkValues() error {
	b := binding{tableMap: m}
	for i := range m.fields {
		f := &boundField{fieldMap: m.fields[i]}
		said := slices.Sorted(maps.Values(f.values))
		said = append(said, f.constant)
		if f.fallback != nil {
			said = append(said, *f.fallback)
		}
		for _, s := range said {
			if err := b.set(&draft{}, f, s); err != nil {
				return fmt.Errorf("%w: map line %d: %s", call.ErrInvalid, f.line, withoutInvalid(err))
			}
		}
	}
	return nil
}

func (m *tableMap) parseDelimiter(n *yaml.Node) error {
	s, err := scalarText(n)
	if err != nil {
		return err
	}
	if s == "tab" || s == `\t` {
		s = "\t"
	}
	if len(s) != 1 || !canDelimit(s[0]) {
		return mapError(n, "delimiter %q is not one character, or tab", s)
	}
	m.dialect.Delimiter = s[0]
	return nil
}

func (m *tableMap) parseHeader(n *yaml.Node) error {
	var header bool
	if err := n.Decode(&header); err != nil {
		return mapError(n, "header is true or false")
	}
	m.dialect.Headerless = !header
	return nil
}

func (m *tableMap) parseEncoding(n *yaml.Node) error {
	s, err := scalarText(n)
	if err != nil {
		return err
	}
	if m.dialect.Encoding, err = encodingNamed(s); err != nil {
		return mapError(n, "%s", withoutInvalid(err))
	}
	return nil
}

func (m *tableMap) parseTimes(n *yaml.Node) error {
	return eachKey(n, map[string]func(*yaml.Node) error{
		"layouts": func(n *yaml.Node) error {
			list, err := texts(n)
			if err != nil {
				return err
			}
			for _, s := range list {
				l, err := parseLayout(s)
				if err != nil {
					return mapError(n, "%s", withoutInvalid(err))
				}
				m.layouts = append(m.layouts, l)
			}
			return nil
		},
		"zone": func(n *yaml.Node) error {
			s, err := scalarText(n)
			if err != nil {
				return err
			}
			if m.zone, err = parseZone(s); err != nil {
				return mapError(n, "zone %q is neither a name such as Europe/Berlin nor a distance such as +01:00", s)
			}
			return nil
		},
	})
}

func (m *tableMap) parseNumbers(n *yaml.Node) error {
	m.numbers = &numberRules{}
	digitsOnly := func(to *string) func(*yaml.Node) error {
		return func(n *yaml.Node) error {
			s, err := scalarText(n)
			if err == nil && strings.Trim(s, "0123456789") != "" {
				err = mapError(n, "%q is not made of digits only", s)
			}
			*to = s
			return err
		}
	}
	err := eachKey(n, map[string]func(*yaml.Node) error{
		"country":       digitsOnly(&m.numbers.country),
		"international": digitsOnly(&m.numbers.international),
		"national":      digitsOnly(&m.numbers.national),
	})
	if err == nil && m.numbers.national != "" && m.numbers.country == "" {
		err = mapError(n, "national needs the country code, such as country: \"49\"")
	}
	return err
}

func (m *tableMap) parseWitness(n *yaml.Node) error {
	s, err := scalarText(n)
	if err != nil {
		return err
	}
	var names []string
	for k := call.Inferred; k <= call.Graph; k++ {
		if strings.EqualFold(k.String(), s) {
			m.witness = k.Witness()
			return nil
		}
		names = append(names, k.String())
	}
	return mapError(n, "unknown witness %q%s: %s are possible", s, suggest(s, names), strings.Join(names, ", "))
}

func (m *tableMap) parseFields(n *yaml.Node) error {
	n = resolve(n)
	if n.Kind != yaml.MappingNode {
		return mapError(n, "fields must be names and columns, such as callerNumber: src")
	}
	for i := 0; i < len(n.Content); i += 2 {
		name, v := n.Content[i], n.Content[i+1]
		f, ok := call.FieldNamed(name.Value)
		if !ok || f.Type() == call.List {
			return mapError(name, "unknown field %q%s", name.Value, suggest(name.Value, fieldNames()))
		}
		if m.mapped[f] {
			return mapError(name, "field %s is there twice", f)
		}
		fm, err := parseField(f, v)
		if err != nil {
			return err
		}
		m.mapped[f] = true
		m.fields = append(m.fields, fm)
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

// parseField reads where one field comes from: a column, or an object.
func parseField(f call.Field, n *yaml.Node) (fieldMap, error) {
	fm := fieldMap{field: f, line: n.Line}
	n = resolve(n)
	if n.Kind != yaml.MappingNode {
		var err error
		fm.columns, err = parseColumns(n)
		return fm, err
	}
	constant := false
	err := eachKey(n, map[string]func(*yaml.Node) error{
		"column": func(n *yaml.Node) (err error) { fm.columns, err = parseColumns(n); return err },
		"constant": func(n *yaml.Node) (err error) {
			constant = true
			fm.constant, err = scalarText(n)
			return err
		},
		"unit": func(n *yaml.Node) (err error) {
			if fm.unit, err = scalarText(n); err != nil {
				return err
			}
			if f != call.FieldDuration {
				return mapError(n, "%s has no unit, only duration has", f)
			}
			if !slices.Contains(unitNames, fm.unit) {
				return mapError(n, "unknown unit %q%s: %s are possible", fm.unit, suggest(fm.unit, unitNames), strings.Join(unitNames, ", "))
			}
			return nil
		},
		"values": func(n *yaml.Node) (err error) { fm.values, err = textMap(n); return err },
		"default": func(n *yaml.Node) error {
			s, err := scalarText(n)
			fm.fallback = &s
			return err
		},
	})
	switch {
	case err != nil:
		return fm, err
	case constant && (len(fm.columns) > 0 || fm.values != nil || fm.fallback != nil):
		return fm, mapError(n, "%s: a constant has no column, values or default", f)
	case !constant && len(fm.columns) == 0:
		return fm, mapError(n, "%s: either column or constant is needed", f)
	}
	return fm, nil
}
