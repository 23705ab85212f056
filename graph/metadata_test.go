package graph

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store/storetest"
)

type complexType struct {
	Name       string `xml:"Name,attr"`
	BaseType   string `xml:"BaseType,attr"`
	Properties []struct {
		Name string `xml:"Name,attr"`
		Type string `xml:"Type,attr"`
	} `xml:"Property"`
}

type schemaDocument struct {
	Version string `xml:"Version,attr"`
	Schemas []struct {
		Namespace string        `xml:"Namespace,attr"`
		Complex   []complexType `xml:"ComplexType"`
		Functions []struct {
			Name   string `xml:"Name,attr"`
			Return struct {
				Type string `xml:"Type,attr"`
			} `xml:"ReturnType"`
		} `xml:"Function"`
	} `xml:"DataServices>Schema"`
}

// The schema is well-formed and has the properties that rows have, by their
// types.
func TestMetadata(t *testing.T) {
	h := New(testConfig(storetest.NewModel()))
	for version, fields := range map[string]Fields{"v1.0": fieldsV1, "beta": fieldsBeta} {
		w := get(t, h, "/"+version+"/$metadata", "Authorization", "")
		if w.Code != 200 || w.Header().Get("Content-Type") != "application/xml;charset=utf-8" {
			t.Fatalf("status %d, header %v", w.Code, w.Header())
		}
		body := w.Body.String()
		wellFormed(t, body)
		var doc schemaDocument
		if err := xml.Unmarshal([]byte(body), &doc); err != nil {
			t.Fatal(err)
		}
		types := map[string]complexType{}
		for _, s := range doc.Schemas {
			for _, c := range s.Complex {
				types[s.Namespace+"."+c.Name] = c
			}
		}
		got := map[string]string{}
		for name := "microsoft.graph.callRecords.directRoutingLogRow"; name != ""; name = types[name].BaseType {
			if types[name].Name == "" {
				t.Fatalf("no type %s", name)
			}
			for _, p := range types[name].Properties {
				got[p.Name] = p.Type
			}
		}
		n := 0
		for f := range call.NumFields {
			if !fields.has(f) {
				continue
			}
			n++
			want := map[call.Type]string{
				call.ID: "Edm.String", call.Text: "Edm.String", call.Time: "Edm.DateTimeOffset",
				call.Number: "Edm.Int32", call.Bool: "Edm.Boolean", call.List: "Collection(graph.administrativeUnitInfo)",
			}[f.Type()]
			if got[f.String()] != want {
				t.Errorf("%s: %s is %q, want %q", version, f, got[f.String()], want)
			}
		}
		if len(got) != n {
			t.Errorf("%s: %d properties, want %d", version, len(got), n)
		}
		if f := doc.Schemas[1].Functions[0]; doc.Version != "4.0" || f.Name != "getDirectRoutingCalls" || f.Return.Type != "Collection(microsoft.graph.callRecords.directRoutingLogRow)" {
			t.Errorf("%s: function %+v", version, f)
		}
		if f := doc.Schemas[1].Functions[1]; f.Name != "getPstnCalls" || f.Return.Type != "Collection(microsoft.graph.callRecords.pstnCallLogRow)" {
			t.Errorf("%s: function %+v", version, f)
		}
		row, properties := types["microsoft.graph.callRecords.pstnCallLogRow"], map[string]string{}
		for _, p := range append(row.Properties, types[row.BaseType].Properties...) {
			properties[p.Name] = p.Type
		}
		// Beta has four addresses, the other party's country and the administrative units besides.
		if want := map[string]int{"v1.0": 23, "beta": 29}[version]; len(properties) != want || properties["charge"] != "Edm.Decimal" || properties["id"] != "Edm.String" {
			t.Errorf("%s: pstnCallLogRow has %d properties, want %d: %v", version, len(properties), want, properties)
		}
	}
}

// The log tells once that a client has asked for calls of calling plans.
func TestPSTNIsLoggedOnce(t *testing.T) {
	var log bytes.Buffer
	config := testConfig(storetest.NewModel())
	config.Log = slog.New(slog.NewTextHandler(&log, nil))
	h := New(config)
	for range 3 {
		page(t, get(t, h, strings.Replace(reference, getCalls, getPSTN, 1)))
	}
	page(t, get(t, h, reference))
	if n := strings.Count(log.String(), "getPstnCalls was asked for"); n != 1 {
		t.Errorf("it is said %d times:\n%s", n, &log)
	}
}

func wellFormed(t *testing.T, s string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(s))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}
