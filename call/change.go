package call

import (
	"context"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"
)

// A Version is a point in the history of a tenant's log: after so many changes of one epoch. Within
// an epoch numbers never come again. A store that may have lost changes that it has shown, such as
// a restored backup, begins another epoch. The zero Version is no point at all.
type Version struct {
	Epoch  uint64
	Number uint64
}

// IsZero reports whether v is no point at all.
func (v Version) IsZero() bool { return v == Version{} }

// FirstRelease stands for the point at which a store of the first release was upgraded. Walks that
// began before have it, because their tokens hold no version.
func FirstRelease() Version { return Version{Number: noNumber} }

const noNumber = 1<<64 - 1

func (v Version) String() string { return fmt.Sprintf("%016x-%d", v.Epoch, v.Number) }

// ParseVersion parses the output of [Version.String].
func ParseVersion(s string) (v Version, err error) {
	epoch, number, _ := strings.Cut(s, "-")
	if v.Epoch, err = strconv.ParseUint(epoch, 16, 64); err == nil {
		v.Number, err = strconv.ParseUint(number, 10, 64)
	}
	if err != nil || len(epoch) != 16 {
		return Version{}, fmt.Errorf("%w: %q is no version of the log, such as %s", ErrInvalid, s, Version{1, 2})
	}
	return v, nil
}

// A ChangeReader reads the changes of the log, in the order in which they were written.
//
// Each new, changed, moved or removed row of a tenant takes the tenant's next number. Numbers rise
// and may have gaps. The reader sees a number only when its change is durable, and after it has
// seen all lower ones. That holds for all processes that share the store.
type ChangeReader interface {
	// Latest returns the tenant's last durable change.
	Latest(ctx context.Context, tenant GUID) (Version, error)
	// Changes yields the changes after the given one, up to the last durable one, in the order of
	// their numbers. A row may come several times, each time as it is now. The error is ErrGone
	// with a zero version, one of another epoch, or one after which the store has dropped changes:
	// the reader then asks for Latest, reads all rows, and goes on from there. The change is valid
	// until the next step.
	Changes(ctx context.Context, tenant GUID, after Version) iter.Seq2[*Change, error]
	// Await returns the tenant's last durable change as soon as it differs from the given one.
	Await(ctx context.Context, tenant GUID, after Version) (Version, error)
}

// A Change is what has become of a row, or of all rows before a time.
type Change struct {
	Number uint64
	Fate   Fate      // New, Changed, Moved, Removed or Trimmed
	ID     GUID      // of the row; zero if Fate is Trimmed
	Row    *Row      // as it is now; nil if it is gone
	Before time.Time // if Fate is Trimmed: rows that started before it are gone
}

// A RowID names a row of a tenant.
type RowID struct{ Tenant, ID GUID }

// An Alias is another id of a row. Every look-up, condition on the id, removal
// and leg that names it means the row.
type Alias struct {
	Tenant GUID
	ID     GUID // the other id, which no row has
	Of     GUID // the row, or an alias of it
}

// A Condition holds if no row with the correlation id was written after the given change. A writer
// relies on it that has looked for other rows of its own call and found none.
type Condition struct {
	Tenant      GUID
	Correlation GUID
	After       Version
}
