package sdk

import (
	"fmt"
	"os"
	"testing"

	"github.com/microsoft/kiota-abstractions-go/serialization"
	kiotajson "github.com/microsoft/kiota-serialization-json-go"
	graphcore "github.com/microsoftgraph/msgraph-sdk-go-core"
	"github.com/microsoftgraph/msgraph-sdk-go/models/odataerrors"

	abstractions "github.com/microsoft/kiota-abstractions-go"

	"github.com/trunklog/trunklog/test/kit"
)

func TestMain(m *testing.M) {
	// What the root package of msgraph-sdk-go does for its users. Compiling all
	// of that package takes minutes, and one part of it is used here.
	abstractions.RegisterDefaultDeserializer(func() serialization.ParseNodeFactory { return kiotajson.NewJsonParseNodeFactory() })
	abstractions.RegisterDefaultSerializer(func() serialization.SerializationWriterFactory {
		return kiotajson.NewJsonSerializationWriterFactory()
	})
	// Without this, the page iterator reports errors of later pages untyped.
	err := graphcore.RegisterError(graphcore.PageIteratorErrorRegistryKey,
		abstractions.ErrorMappings{"XXX": odataerrors.CreateODataErrorFromDiscriminatorValue})
	if err != nil {
		fmt.Fprintln(os.Stderr, "test/sdk:", err)
		os.Exit(1)
	}
	kit.Main(m)
}

// trunklog runs a command on the house and returns what it wrote to stdout.
func (h *house) trunklog(t *testing.T, args ...string) []byte {
	t.Helper()
	out, err := h.Do(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
