package call

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"
)

// MaxGroups is the most groups that one question can have. They stay in memory until all rows are
// added up.
const MaxGroups = 1_000_000

// AddUp groups rows, which must be those that q selects. It defines [Reader.Groups], and serves an
// engine that has nothing faster.
func AddUp(ctx context.Context, r interface {
	Rows(ctx context.Context, q Query) iter.Seq2[*Row, error]
}, q Query, by Grouping,
) iter.Seq2[*Group, error] {
	return func(yield func(*Group, error) bool) {
		a, err := NewAdder(q, by)
		if err != nil {
			yield(nil, err)
			return
		}
		q.Walk = Version{}
		for row, err := range r.Rows(ctx, q) {
			if err == nil {
				err = a.Row(row)
			}
			if err != nil {
				yield(nil, err)
				return
			}
		}
		for g := range a.Groups() {
			if !yield(g, nil) {
				return
			}
		}
	}
}

// An Adder adds rows, and cells that stand for rows, to the groups of one question.
type Adder struct {
	where  Expr
	slots  slots
	by     [numDims]bool
	keys   map[Key]int32
	values []Key // of the numbers in keys
	index  map[slotKey]int
	groups [][]group // each of groupChunk but the last
	n      int
	most   int
	row    Row // a condition on a cell looks here for the cell's values
}

type slotKey struct {
	at  int64
	key int32
}

type group struct {
	slotKey
	sums Sums
}

// groupChunk is how many groups lie side by side. A new chunk moves none of the earlier groups.
const groupChunk = 1 << 10

// NewAdder returns an Adder for the groups of q, or [ErrInvalid], see
// [Grouping.Check].
func NewAdder(q Query, by Grouping) (*Adder, error) {
	if err := by.Check(q); err != nil {
		return nil, err
	}
	a := &Adder{where: q.Where, slots: newSlots(by), keys: map[Key]int32{}, index: map[slotKey]int{}, most: MaxGroups}
	for _, d := range by.By {
		a.by[d] = true
	}
	return a, nil
}

// Row adds a row that q selects.
func (a *Adder) Row(r *Row) error {
	s := sumsOf(r)
	k := Key{Trunk: r.Trunk, CallType: r.CallType, Code: r.FinalSIPCode, Subcode: r.CallEndSubReason, Rang: rang(r), Answered: r.Successful, User: r.UserID}
	return a.add(slotKey{a.slots.find(r.Start.Unix()), a.number(&k)}, &s)
}

// number returns the number of the key that k has in the dimensions of the question.
func (a *Adder) number(k *Key) int32 {
	var g Key
	for d, asked := range a.by {
		if asked {
			g.take(k, Dim(d))
		}
	}
	n, ok := a.keys[g]
	if !ok {
		g.Trunk, g.CallType = strings.Clone(g.Trunk), strings.Clone(g.CallType) // the caller lends the row
		n = int32(len(a.values))
		a.values = append(a.values, g)
		a.keys[g] = n
	}
	return n
}

func (k *Key) take(from *Key, d Dim) {
	switch d {
	case ByTrunk:
		k.Trunk = foldTrunk(from.Trunk)
	case ByDirection:
		k.Inbound = CallType(from.CallType).Inbound()
	case ByCallType:
		k.CallType = from.CallType
	case ByCode:
		k.Code = from.Code
	case BySubcode:
		k.Subcode = from.Subcode
	case ByRang:
		k.Rang = from.Rang
	case ByAnswered:
		k.Answered = from.Answered
	case ByUser:
		k.User = from.User
	}
}

func (a *Adder) add(at slotKey, s *Sums) error {
	i, ok := a.index[at]
	if !ok {
		if i = a.n; i == a.most {
			return fmt.Errorf("%w: more than %d groups: ask for less time, longer slots or fewer dimensions", ErrInvalid, a.most)
		}
		if i%groupChunk == 0 {
			a.groups = append(a.groups, make([]group, 0, groupChunk))
		}
		last := &a.groups[i/groupChunk]
		*last = append(*last, group{slotKey: at})
		a.index[at] = i
		a.n++
	}
	a.at(i).sums.Add(s, 1)
	return nil
}

func (a *Adder) at(i int) *group { return &a.groups[i/groupChunk][i%groupChunk] }

// Groups returns the groups in the order of [Group.Compare]. A group is valid until the next step;
// a caller may keep a copy.
func (a *Adder) Groups() iter.Seq[*Group] {
	return func(yield func(*Group) bool) {
		order := make([]int32, 0, a.n)
		for i := range a.n {
			if a.at(i).sums.Calls != 0 { // skips cells that have lost all their rows
				order = append(order, int32(i))
			}
		}
		slices.SortFunc(order, func(i, j int32) int {
			x, y := a.at(int(i)), a.at(int(j))
			if x.at != y.at {
				if x.at < y.at {
					return -1
				}
				return 1
			}
			return a.values[x.key].compare(&a.values[y.key])
		})
		var g Group
		for _, i := range order {
			x := a.at(int(i))
			g = Group{Key: a.values[x.key], Sums: x.sums}
			if a.slots.every != WholeTime {
				g.At = time.Unix(x.at, 0).In(a.slots.zone)
			}
			if !yield(&g) {
				return
			}
		}
	}
}
