package main

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/trunklog/trunklog/test/kit"
)

func TestMain(m *testing.M) {
	if played, code := play(os.Args); played {
		os.Exit(code)
	}
	kit.Main(m, func() error { return goleak.Find() })
}
