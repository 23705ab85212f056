package storetest

import "github.com/trunklog/trunklog/call"

func rowsComeBackWhole(f *fixture) {
	rows := Rows(1, 500)
	res := f.write(call.Batch{Rows: rows})
	if res != (call.Result{New: 500}) {
		f.Fatalf("500 new rows: %+v", res)
	}
	f.sameAll()
	f.reopen()
	f.sameAll()
}
