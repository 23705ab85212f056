package graphjson

import (
	"bytes"
	"regexp"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/trunklog/trunklog/call"
)

// member is the name of a member of an object and the beginning of its value.
var member = regexp.MustCompile(`("(?:[^"\\]|\\.){1,64}")\s*:\s*(.)`)

// Looks reports whether a file that begins with head, in UTF-8, looks like input of [New]: JSON
// with one property of a call, of the wrapping around calls, or of another function of Graph. One
// is enough, because the decoder explains best what is broken, cut or of another function.
func Looks(head []byte) bool {
	head = bytes.TrimLeft(head, bom+" \t\r\n")
	if len(head) == 0 || head[0] != '{' && head[0] != '[' {
		return false
	}
	if head[0] == '[' && string(bytes.Trim(head, "[] \t\r\n")) == "" {
		return true // a list of no calls
	}
	for _, m := range member.FindAllSubmatch(head, -1) {
		name, _ := jsontext.AppendUnquote(nil, m[1])
		if tells(propertyNamed(string(name)), m[2][0]) {
			return true
		}
	}
	return false
}

// tells reports whether a property whose value begins with the given character identifies the file.
// Other properties, such as id or duration, occur in files of any kind.
func tells(p property, begins byte) bool {
	switch {
	case p == propertyValue || p == propertyResponses || p == propertyError:
		return begins == '[' || begins == '{'
	case p == propertyBody:
		return begins == '[' || begins == '{' || begins == '"'
	case p == propertyContext || p == propertyNext:
		return true
	case p < property(call.NumFields):
		return call.Field(p).Type() == call.Time || call.Field(p) == call.FieldCallType || call.Field(p) == call.FieldTrunk
	}
	return p >= numProperties && marks[p-numProperties].weight >= enough
}
