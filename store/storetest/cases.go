package storetest

// A law is one case of the suite.
type law struct {
	name string
	run  func(*fixture)
}

// cases returns the suite: the laws in the order of the doc comments of
// [call.Store], then random operations.
func cases() []law {
	return []law{
		{"RowsComeBackWhole", rowsComeBackWhole},
	}
}
