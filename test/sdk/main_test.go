package sdk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/microsoft/kiota-abstractions-go/serialization"
	kiotajson "github.com/microsoft/kiota-serialization-json-go"
	graphcore "github.com/microsoftgraph/msgraph-sdk-go-core"
	"github.com/microsoftgraph/msgraph-sdk-go/models/odataerrors"

	abstractions "github.com/microsoft/kiota-abstractions-go"
)

// binary is the trunklog under test, built once for all tests.
var binary string

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
	if err == nil {
		err = build(m.Run)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "test/sdk:", err)
		os.Exit(1)
	}
}

// build builds trunklog into a folder that lives as long as the tests run.
func build(run func() int) error {
	dir, err := os.MkdirTemp("", "trunklog-sdk-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "trunklog")
	if built := os.Getenv("SDK_TRUNKLOG"); built != "" {
		binary = built // by the process that runs this one
		return ended(run())
	}
	cmd := exec.Command("go", "build", "-o", binary, ".")
	cmd.Dir = "../.."
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building trunklog: %w\n%s", err, out)
	}
	return ended(run())
}

func ended(code int) error {
	if code != 0 {
		return fmt.Errorf("exit %d", code)
	}
	return nil
}

// need skips the test if a program is missing, or fails it where nothing may
// be missing.
func need(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		missing(t, "%s is not installed", program)
	}
}

func missing(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// command returns a trunklog command that runs in dir. What the environment
// says of trunklog is not passed on: the tests say all that it is to know.
func command(ctx context.Context, dir string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Dir = dir
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "TRUNKLOG_") })
	return cmd
}

// trunklog runs a command to its end and returns what it wrote to stdout.
func trunklog(t *testing.T, stdin io.Reader, args ...string) []byte {
	t.Helper()
	out, err := tryTrunklog(t, stdin, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func tryTrunklog(t *testing.T, stdin io.Reader, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := command(ctx, t.TempDir(), args...)
	var out, diag bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &out, &diag
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("trunklog %s: %w\n%s", strings.Join(args, " "), errors.Join(err, ctx.Err()), diag.Bytes())
	}
	return out.Bytes(), nil
}
