package main

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if played, code := play(os.Args); played {
		os.Exit(code)
	}
	goleak.VerifyTestMain(m)
}
