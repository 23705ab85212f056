package pebble

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/trunklog/trunklog/call"
	"github.com/trunklog/trunklog/store/storetest"
)

// TestFirstRelease opens stores that the first release wrote, closed in order
// and killed, with no more than that; from then on what names their tables is
// protected.
func TestFirstRelease(t *testing.T) {
	tenant, err := call.ParseGUID("1a2b3c4d-0000-4000-8000-00000000c0de")
	if err != nil {
		t.Fatal(err)
	}
	for _, end := range []string{"closed", "killed"} {
		t.Run(end, func(t *testing.T) {
			disk := vfs.NewMem()
			if ok, err := vfs.Clone(vfs.Default, disk, filepath.Join("testdata", "first-release", end), "store"); err != nil || !ok {
				t.Fatal(ok, err)
			}
			for _, readOnly := range []bool{true, false} {
				o := testOptions(t, disk)
				o.ReadOnly = readOnly
				s, err := Open("store", o)
				if err != nil {
					t.Fatalf("read only %v: %v", readOnly, err)
				}
				if n, err := s.Count(t.Context(), call.Query{Tenant: tenant}); err != nil || n != 600 {
					t.Errorf("%d rows, %v", n, err)
				}
				verifyLookUps(t, s, tenant)
				verifyCheck(t, s)
				if !readOnly {
					verifyProtected(t, s, disk)
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			}
			s, err := Open("store", testOptions(t, disk))
			if err != nil {
				t.Fatal(err)
			}
			if n, err := s.Count(t.Context(), call.Query{Tenant: tenant}); err != nil || n != 600 {
				t.Errorf("%d rows when it is opened again, %v", n, err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// verifyLookUps looks for what some of the rows have, of which the first release
// has not put everything into the index.
func verifyLookUps(t *testing.T, s *Store, tenant call.GUID) {
	t.Helper()
	find := func(x call.Expr) (rows []call.Row) {
		for r, err := range s.Rows(t.Context(), call.Query{Tenant: tenant, Where: x}) {
			if err != nil {
				t.Fatal(err)
			}
			rows = append(rows, r.Clone())
		}
		return rows
	}
	rows := find(nil)
	for i := 0; i < len(rows); i += 23 {
		r := &rows[i]
		for _, x := range []call.Expr{
			call.TextMatch{Field: call.FieldUserPrincipalName, Op: call.EqualFold, Part: r.UserPrincipalName},
			call.Or{call.Digits(r.Caller), call.Compare{Field: call.FieldUserPrincipalName, Value: r.UserPrincipalName}},
			call.Digits(r.Caller), call.Digits(strings.ReplaceAll(r.Callee, "*", "1")), call.Digits(r.Callee[:len(r.Callee)/2+1] + "***"),
		} {
			got := find(x)
			want := slices.DeleteFunc(slices.Clone(rows), func(r call.Row) bool { return !x.Match(&r) })
			if !sameRows(got, want) {
				t.Fatalf("%#v finds %d rows, want %d", x, len(got), len(want))
			}
		}
	}
}

// verifyProtected ends the process of an open store, at once and when it has
// written a little, and harms the list of tables each time.
func verifyProtected(t *testing.T, s *Store, disk *vfs.MemFS) {
	t.Helper()
	for _, rows := range [][]call.Row{nil, storetest.Rows(60, 50)} {
		if len(rows) > 0 {
			writeAll(t, s, rows)
		}
		killed := copyFS(t, disk, "store")
		found, err := newest(killed, "store")
		if err != nil {
			t.Fatal(err)
		}
		name := found[manifestMark].file()
		harmLastRecord(t, killed, name, newRand(2))
		_, err = Open("store", testOptions(t, killed))
		saysWhere(t, err, name, "")
	}
}
