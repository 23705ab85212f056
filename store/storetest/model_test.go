package storetest

import (
	"testing"

	"github.com/trunklog/trunklog/call"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestModel shows that an engine can pass the suite, with another model for comparison.
func TestModel(t *testing.T) {
	models := map[string]*Model{}
	Run(t, func(_ *testing.T, dir string) call.Store {
		m := NewModel()
		if old := models[dir]; old != nil {
			m = old.Reopen()
		}
		models[dir] = m
		return m
	})
}
