package cli

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/pflag"
)

// notTaken puts the error of a flag that refuses its value into words. name returns the place of
// the value as the operator wrote it: --limit, or a line of a settings file.
func notTaken(err error, name func(flag string) string) error {
	var bad *pflag.InvalidValueError
	if !errors.As(err, &bad) {
		return err
	}
	f := bad.GetFlag()
	need := bad.Unwrap().Error()
	switch f.Value.Type() {
	case "int", "int32", "int64", "uint", "uint64":
		if need = "a whole number is needed"; errors.Is(err, strconv.ErrRange) {
			need = "the number is out of range"
		}
	case "duration":
		need = "a time such as 10s or 1m30s is needed"
	case "bool":
		need = "true or false is needed"
	}
	return fmt.Errorf("%s %q: %s", name(f.Name), bad.GetValue(), need)
}
