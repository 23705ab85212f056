package call

// A CellKind is one of the ways in which engines keep calls added up.
type CellKind uint8

// The kinds of cells. Their dimensions let one kind answer most questions, with so few cells that
// each row costs little.
const (
	// TrunkCell is 15 minutes × trunk × call type × SIP code × subcode × rang ×
	// answered.
	TrunkCell CellKind = iota
	// UserCell is a day of UTC × user.
	UserCell
	NumCells
)

// Seconds returns how much time a cell covers. A cell begins at a multiple of that since 0001-01-01
// in UTC, as every quarter of an hour does in a zone whose offset is a multiple of 15 minutes.
func (k CellKind) Seconds() int64 {
	if k == TrunkCell {
		return secondsPerQuarter
	}
	return secondsPerDay
}

// A Cell is what a row adds to one of the sums that engines keep.
type Cell struct {
	Kind CellKind
	// Slot is the time that the cell covers: it begins this many times [CellKind.Seconds] after
	// 0001-01-01.
	Slot uint32
	// Key holds the dimensions of the kind; the rest is zero. The trunk is as in the row, so that
	// the cell answers a condition as the row does.
	Key  Key
	Sums Sums
}

// Cells returns what r adds to the cells of its tenant. It is a function of the row alone, so one
// rule keeps cells exact: the batch that changes a row subtracts Cells of the old row and adds
// Cells of the new one.
func Cells(r *Row) [NumCells]Cell {
	s := sumsOf(r)
	ticks := Ticks(r.Start)
	return [NumCells]Cell{
		{
			Kind: TrunkCell, Slot: uint32(ticks / (secondsPerQuarter * ticksPerSecond)), Sums: s,
			Key: Key{Trunk: r.Trunk, CallType: r.CallType, Code: r.FinalSIPCode, Subcode: r.CallEndSubReason, Rang: rang(r), Answered: r.Successful},
		},
		{Kind: UserCell, Slot: uint32(ticks / (secondsPerDay * ticksPerSecond)), Key: Key{User: r.UserID}, Sums: s},
	}
}

// rang reports whether the callee's side rang. No row has that yet.
func rang(*Row) bool { return false }

// CellsFor returns the kind of cells that answers a question, apart from the edges of its time. ok
// is false if none does; the engine then adds up the rows.
func CellsFor(q Query, by Grouping) (kind CellKind, ok bool) {
	trunk, user := onlyOf(q.Where, inTrunkCell), q.Where == nil && by.Every != QuarterHour && by.Every != Hour
	for _, d := range by.By {
		trunk = trunk && d != ByUser
		user = user && d == ByUser
	}
	switch {
	case trunk: // before the other: most logs have fewer of them
		return TrunkCell, true
	case user:
		return UserCell, true
	}
	return 0, false
}

func inTrunkCell(f Field) bool {
	switch f {
	case FieldTrunk, FieldCallType, FieldFinalSIPCode, FieldCallEndSubReason, FieldSuccessful:
		return true
	}
	return false
}

// onlyOf reports whether x reads only fields for which in holds.
func onlyOf(x Expr, in func(Field) bool) bool {
	all := func(parts []Expr) bool {
		for _, part := range parts {
			if !onlyOf(part, in) {
				return false
			}
		}
		return true
	}
	switch x := x.(type) {
	case nil:
		return true
	case And:
		return all(x)
	case Or:
		return all(x)
	case Not:
		return onlyOf(x.X, in)
	case Compare:
		return in(x.Field)
	case TextMatch:
		return in(x.Field)
	}
	return false
}

// CellKey reports whether the condition of the question holds for the rows of a cell that has k,
// and returns the number to pass to [Adder.Cell].
func (a *Adder) CellKey(k *Key) (number int32, holds bool) {
	if a.where != nil {
		a.row.Trunk, a.row.CallType, a.row.FinalSIPCode, a.row.CallEndSubReason = k.Trunk, k.CallType, k.Code, k.Subcode
		a.row.Successful, a.row.UserID = k.Answered, k.User
		if !a.where.Match(&a.row) {
			return 0, false
		}
	}
	return a.number(k), true
}

// Within reports whether all calls of a cell fall into one slot of the question. If not, as where
// the clock changed in the middle, the engine adds its rows one by one.
func (a *Adder) Within(kind CellKind, slot uint32) bool {
	lo := kind.begin(slot)
	return a.slots.whole(lo, lo+kind.Seconds())
}

// Cell adds a cell whose key has the given number. The cell must be [Adder.Within] one slot.
func (a *Adder) Cell(kind CellKind, slot uint32, number int32, s *Sums) error {
	return a.add(slotKey{a.slots.find(kind.begin(slot)), number}, s)
}

// begin returns the moment at which a cell begins, in seconds of Unix time.
func (k CellKind) begin(slot uint32) int64 { return int64(slot)*k.Seconds() - unixEpoch }
