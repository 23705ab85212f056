package pebble

import (
	"errors"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store/storetest"
)

// TestDamagedHead opens stores with damaged numbers of changes: none uses a number again.
func TestDamagedHead(t *testing.T) {
	tenant := storetest.Tenants()[0]
	key := appendHeadKey(nil, tenant)
	for name, damage := range map[string]func(b *pebble.Batch) error{
		"gone":      func(b *pebble.Batch) error { return b.Delete(key, nil) },
		"cut off":   func(b *pebble.Batch) error { return b.Set(key, []byte{valueVersion, 1}, nil) },
		"less":      func(b *pebble.Batch) error { return b.Set(key, head{number: 1}.value(), nil) },
		"no epoch":  func(b *pebble.Batch) error { return b.Delete([]byte{kindEpoch}, nil) },
		"bad epoch": func(b *pebble.Batch) error { return b.Set([]byte{kindEpoch}, []byte{valueVersion}, nil) },
	} {
		disk := vfs.NewMem()
		s, err := Open("store", testOptions(t, disk))
		if err != nil {
			t.Fatal(err)
		}
		writeAll(t, s, storetest.Rows(41, 50))
		commit(t, s, damage)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		_, err = Open("store", testOptions(t, disk))
		var corrupt *call.CorruptError
		if !errors.As(err, &corrupt) || strings.Contains(err.Error(), "×") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
