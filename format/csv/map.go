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

// A mapFile is the YAML of a map: each key and the type of its value.
type mapFile struct {
	Delimiter text       `yaml:"delimiter"`
	Header    *bool      `yaml:"header"`
	Columns   texts      `yaml:"columns"`
	Encoding  text       `yaml:"encoding"`
	Times     mapTimes   `yaml:"times"`
	Numbers   *mapPlan   `yaml:"numbers"`
	Witness   text       `yaml:"witness"`
	Key       columnRefs `yaml:"key"`
	Skip      conditions `yaml:"skip"`
	Where     conditions `yaml:"where"`
	Fields    fieldMaps  `yaml:"fields"`
}

type mapTimes struct {
	Layouts texts `yaml:"layouts"`
	Zone    text  `yaml:"zone"`
}

type mapPlan struct {
	Country       text `yaml:"country"`
	International text `yaml:"international"`
	National      text `yaml:"national"`
}

// A tableMap gives the syntax of a table and the meaning of its columns.
type tableMap struct {
	dialect     Dialect
	columns     []string // names of the columns of a table without a header
	layouts     []layout // of times, in the order of trial
	zone        *time.Location
	numbers     *numberRules // nil: numbers stay as they came
	witness     call.Witness
	key         columnRefs // the columns that name the call; may be empty
	skip, where conditions
	fields      fieldMaps
	mapped      [call.NumFields]bool // which fields those are
	preview     bool                 // report the values that defaults replaced
}

// A fieldMap gives the origin of a field of a row.
type fieldMap struct {
	field    call.Field
	line     int        // of the map
	columns  columnRefs // their values are joined by a space; empty for a constant
	constant string
	values   map[string]string // translations; nil if the map has none
	fallback *string           // for values without a translation, or empty
	unit     string            // of a duration; empty is seconds
}

// parseMap reads a map. Its errors name the line.
func parseMap(b []byte) (*tableMap, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(b, &doc); err != nil {
		return nil, fmt.Errorf("%w: map: %s", call.ErrInvalid, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if len(doc.Content) == 0 {
		return nil, fmt.Errorf("%w: the map of the CSV's columns is missing: --map names a YAML file, which docs/import-csv.md explains, or one that comes with trunklog: %s", call.ErrInvalid, strings.Join(ReadyMaps(), ", "))
	}
	var f mapFile
	if err := decodeKeys(doc.Content[0], &f); err != nil {
		return nil, err
	}
	m := &tableMap{
		zone: time.UTC, witness: call.CDR.Witness(),
		key: f.Key, skip: f.Skip, where: f.Where, fields: f.Fields,
	}
	m.dialect.Headerless = f.Header != nil && !*f.Header
	m.setColumns(f.Columns)
	for _, err := range []error{
		m.setDelimiter(f.Delimiter), m.setEncoding(f.Encoding), m.setLayouts(f.Times.Layouts),
		m.setZone(f.Times.Zone), m.setNumbers(f.Numbers), m.setWitness(f.Witness),
	} {
		if err != nil {
			return nil, err
		}
	}
	for _, fm := range m.fields {
		m.mapped[fm.field] = true
	}
	return m, m.check()
}

// check reports contradictions between keys.
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

// checkValues tries the values that the map itself sets.
func (m *tableMap) checkValues() error {
	b := binding{input: &input{tableMap: m}}
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

// setColumns sets the names of the columns. A question mark at the end of a name, at the end of the
// list, makes the column optional.
func (m *tableMap) setColumns(names texts) {
	for _, t := range names {
		name, optional := strings.CutSuffix(t.s, "?")
		if m.columns = append(m.columns, name); optional {
			m.dialect.Optional++
		} else {
			m.dialect.Optional = 0
		}
	}
}

func (m *tableMap) setDelimiter(t text) error {
	if !t.given() {
		return nil
	}
	if t.s == "tab" || t.s == `\t` {
		t.s = "\t"
	}
	if len(t.s) != 1 || !canDelimit(t.s[0]) {
		return mapError(t.node, "delimiter %q is not one character, or tab", t.s)
	}
	m.dialect.Delimiter = t.s[0]
	return nil
}

func (m *tableMap) setEncoding(t text) (err error) {
	if !t.given() {
		return nil
	}
	if m.dialect.Encoding, err = encodingNamed(t.s); err != nil {
		return mapError(t.node, "%s", withoutInvalid(err))
	}
	return nil
}

func (m *tableMap) setLayouts(names texts) error {
	for _, t := range names {
		l, err := parseLayout(t.s)
		if err != nil {
			return mapError(t.node, "%s", withoutInvalid(err))
		}
		m.layouts = append(m.layouts, l)
	}
	return nil
}

func (m *tableMap) setZone(t text) (err error) {
	if !t.given() {
		return nil
	}
	if m.zone, err = parseZone(t.s); err != nil {
		return mapError(t.node, "zone %q is neither a name such as Europe/Berlin nor a distance such as +01:00", t.s)
	}
	return nil
}

func (m *tableMap) setNumbers(p *mapPlan) error {
	if p == nil {
		return nil
	}
	for _, t := range []text{p.Country, p.International, p.National} {
		if strings.Trim(t.s, "0123456789") != "" {
			return mapError(t.node, "%q is not made of digits only", t.s)
		}
	}
	if p.National.s != "" && p.Country.s == "" {
		return mapError(p.National.node, "national needs the country code, such as country: \"49\"")
	}
	m.numbers = &numberRules{country: p.Country.s, international: p.International.s, national: p.National.s}
	return nil
}

func (m *tableMap) setWitness(t text) error {
	if !t.given() {
		return nil
	}
	var names []string
	for k := call.Inferred; k <= call.Graph; k++ {
		if strings.EqualFold(k.String(), t.s) {
			m.witness = k.Witness()
			return nil
		}
		names = append(names, k.String())
	}
	return mapError(t.node, "unknown witness %q%s: %s are possible", t.s, suggest(t.s, names), strings.Join(names, ", "))
}
