package storetest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/trunklog/trunklog/call"
)

func stateIsSetAndDeleted(f *fixture) {
	f.sameState("")
	f.write(call.Batch{State: map[string][]byte{"a": []byte("1"), "b": {}, "c": {0, 255, 0}, "gone": nil}})
	f.sameState("")
	got, _ := call.Values(f.Context(), f.store, "")
	if v, ok := got["b"]; len(got) != 3 || !ok || v == nil {
		f.Fatalf("state %q: an empty value is a value, and not nil", got)
	}
	f.write(call.Batch{State: map[string][]byte{"a": nil, "b": []byte("2"), "never": nil}})
	f.sameState("")
	f.reopen()
	f.sameState("")
	f.write(call.Batch{State: map[string][]byte{"a": []byte("3"), "c": nil}, Rows: Rows(5, 3)})
	f.sameAll()
}

func stateByPrefix(f *fixture) {
	state := map[string][]byte{}
	for _, name := range []string{"client", "client/", "client/a", "client/a/b", "client/b", "clients", "clienu", "clien", "Client/a", "é/1", "\u00ff/1", "\u00ff\u00ff"} {
		state[name] = []byte("of " + name)
	}
	f.write(call.Batch{State: state})
	for _, prefix := range []string{"", "c", "client", "client/", "client/a", "client/a/b/c", "clienu", "d", "é", "\u00ff", "\u00ff\u00ff"} {
		f.sameState(prefix)
	}
	if got, _ := call.Values(f.Context(), f.store, "client/"); len(got) != 4 {
		f.Fatalf("state below client/ is %q, want 4 names", got)
	}
}

// stateInOrder: values come in the order of their names, from one snapshot, and belong to the
// receiver; a receiver may stop at any value, and finds one name among longer ones.
func stateInOrder(f *fixture) {
	names := []string{"open", "open/", "open/a", "open/a/1", "open/a/2", "open/b/1", "open0", "\u00ff"}
	state := map[string][]byte{}
	for _, name := range names {
		state[name] = []byte("of " + name)
	}
	f.write(call.Batch{State: state})
	var got []call.Named
	for v, err := range f.store.State(f.Context(), "") {
		if err != nil {
			f.Fatal(err)
		}
		if len(got) == 0 { // the walk does not see later writes
			f.write(call.Batch{State: map[string][]byte{"open/a/1": nil, "open/a/3": []byte("x"), "open/b/1": []byte("y")}})
		}
		got = append(got, v)
		for i := range v.Value[:1] {
			v.Value[i] = 'O'
		}
	}
	for i, v := range got {
		if len(got) != len(names) || v.Name != names[i] || string(v.Value) != "Of "+names[i] {
			f.Fatalf("%d of %d values, the %dth is %s: %q", len(got), len(names), i, v.Name, v.Value)
		}
	}
	f.sameState("")
	n := 0
	for _, err := range f.store.State(f.Context(), "open/") {
		if n++; n == 2 || err != nil {
			break
		}
	}
	for name, want := range map[string]string{"open": "of open", "open/": "of open/", "open/a/3": "x", "open/a/1": "", "ope": "", "open/a/": ""} {
		if got, err := call.Value(f.Context(), f.store, name); err != nil || string(got) != want || (got == nil) != (want == "") {
			f.Fatalf("%s is %q, %v; want %q", name, got, err, want)
		}
	}
	ctx, stop := context.WithCancel(f.Context())
	defer stop()
	n = 0
	for _, err := range f.store.State(ctx, "open") {
		if n++; n > 100 {
			break
		}
		stop()
		if err != nil && !errors.Is(err, context.Canceled) {
			f.Fatal(err)
		}
	}
	if _, err := call.Values(ctx, f.store, ""); !errors.Is(err, context.Canceled) {
		f.Fatalf("whoever has gone is told %v", err)
	}
}

func ifHoldsOrConflicts(f *fixture) {
	f.write(call.Batch{State: map[string][]byte{"is": []byte("1"), "empty": {}}})
	row := rowAt("guarded", noon())
	change := func(when map[string][]byte) call.Batch {
		return call.Batch{Rows: []call.Row{row}, State: map[string][]byte{"is": nil, "new": []byte("x")}, If: when}
	}
	for _, when := range []map[string][]byte{
		{"is": nil},
		{"is": {}},
		{"is": []byte("2")},
		{"is": []byte("11")},
		{"empty": nil},
		{"is not": {}},
		{"is not": []byte("1")},
		{"is": []byte("1"), "empty": []byte("2")},
	} {
		f.refused(change(when), call.ErrConflict)
	}
	f.write(change(map[string][]byte{"is": []byte("1"), "empty": {}, "is not": nil}))
	f.sameAll()
	// The same once more: its condition no longer holds.
	f.refused(change(map[string][]byte{"is": []byte("1")}), call.ErrConflict)
	// A condition alone is a question.
	f.write(call.Batch{If: map[string][]byte{"new": []byte("x")}})
	f.refused(call.Batch{If: map[string][]byte{"new": nil}}, call.ErrConflict)
}

// ifCountsExactly lets many writers raise one number.
func ifCountsExactly(f *fixture) {
	const writers, each = 8, 10
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range each {
				if err := f.increment("n"); err != nil {
					f.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if got, err := call.Values(f.Context(), f.store, "n"); string(got["n"]) != fmt.Sprint(writers*each) || err != nil {
		f.Fatalf("%d increments made %q, %v", writers*each, got["n"], err)
	}
}

func (f *fixture) increment(name string) error {
	for {
		state, err := call.Values(f.Context(), f.store, name)
		if err != nil {
			return err
		}
		n, _ := strconv.Atoi(string(state[name]))
		_, err = f.store.Write(f.Context(), call.Batch{
			If:    map[string][]byte{name: state[name]},
			State: map[string][]byte{name: []byte(strconv.Itoa(n + 1))},
		})
		if !errors.Is(err, call.ErrConflict) {
			return err
		}
	}
}
