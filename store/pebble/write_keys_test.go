package pebble

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/trunklog/trunklog/call"
)

// The keys of a batch go into it by kind, and those of a kind in byte order, of one tenant and of
// several; for one key the removal stands before the new value.
func TestKeyOrder(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	db, err := pebble.Open("", &pebble.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for tenants := 1; tenants <= 3; tenants++ {
		var l keyList
		want := map[byte][][]byte{}
		for range 3000 {
			kind := indexKinds[rnd.IntN(len(indexKinds))]
			key := appendDay(nil, kind, call.GUID{15: byte(rnd.IntN(tenants))}, uint64(rnd.IntN(3)))
			for range rnd.IntN(20) {
				key = append(key, "\x00\x01\xff"[rnd.IntN(3)]) // many begin alike
			}
			key = appendTail(append(key, 0), uint64(rnd.IntN(2)), call.GUID{byte(rnd.IntN(2))})
			l.addIndex(key, rnd.IntN(2) == 0)
			want[kind] = append(want[kind], key)
		}
		batch := db.NewBatch()
		if err := l.addTo(batch); err != nil {
			t.Fatal(err)
		}
		reader := batch.Reader()
		var last []byte
		set := false
		for _, kind := range []byte(indexKinds) {
			slices.SortFunc(want[kind], bytes.Compare)
			for i, key := range want[kind] {
				op, got, _, ok, err := reader.Next()
				if !ok || err != nil || !bytes.Equal(got, key) {
					t.Fatalf("%d tenants: key %d of kind %c is %x, not %x (%v)", tenants, i, kind, got, key, err)
				}
				if same := bytes.Equal(last, key); same && set && op == pebble.InternalKeyKindDelete {
					t.Fatalf("%d tenants: %x is removed behind where it is set", tenants, key)
				}
				last, set = key, op == pebble.InternalKeyKindSet
			}
		}
		if err := batch.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
