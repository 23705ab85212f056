package call

import (
	"testing"
	"time"
)

func TestFold(t *testing.T) {
	full := fullRow()
	full.ClaimedStart = time.Time{}
	other := full
	other.Caller, other.Duration, other.Successful, other.End = "+99", 77, false, full.End.Add(time.Hour)
	other.UserID = GUID{7}
	best := said(full, Graph.Witness(), true, FieldCaller, FieldDuration, FieldSuccessful, FieldEnd)

	t.Run("a lower witness fills gaps only", func(t *testing.T) {
		r := best.Clone()
		w := said(other, CDR.Witness(), true, FieldCaller, FieldDuration, FieldSuccessful, FieldEnd, FieldUserID)
		if !r.Fold(&w) || r.Caller != full.Caller || r.Duration != full.Duration || !r.Successful || !r.End.Equal(full.End) {
			t.Errorf("got %+v", r)
		}
		if r.UserID != other.UserID || r.By[FieldUserID] != CDR.Witness() {
			t.Errorf("the gap was not filled: %v", r.UserID)
		}
		if r.Seen != CDR.Set()|Graph.Set() {
			t.Errorf("seen by %v", r.Seen)
		}
	})
	t.Run("a complete witness says none", func(t *testing.T) {
		r := said(other, CDR.Witness(), false, FieldFailure, FieldDuration, FieldFinalSIPCode, FieldMediaBypass)
		w := said(full, Graph.Witness(), true)
		if !r.Fold(&w) || !r.Failure.IsZero() || r.Duration != 0 || r.FinalSIPCode != 0 || r.MediaBypass {
			t.Errorf("got %+v", r)
		}
		late := said(other, CDR.Witness(), false, FieldDuration, FieldMediaBypass)
		if r.Fold(&late); r.Duration != 0 || r.MediaBypass {
			t.Errorf("a lower witness filled in a zero that is settled: %+v", r)
		}
	})
	t.Run("a witness that is not complete leaves what it does not know", func(t *testing.T) {
		r := said(other, CDR.Witness(), false, FieldDuration, FieldCaller)
		w := said(full, Graph.Witness(), false, FieldCaller)
		if r.Fold(&w); r.Duration != other.Duration || r.Caller != full.Caller {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("a complete witness leaves texts and ids that it does not know", func(t *testing.T) {
		r := said(other, CDR.Witness(), false, FieldCaller, FieldUserID, FieldAdministrativeUnits)
		w := said(full, Graph.Witness(), true)
		if r.Fold(&w); r.Caller != other.Caller || r.UserID != other.UserID || len(r.AdministrativeUnits) != 2 {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("of two equal witnesses the later stands", func(t *testing.T) {
		r := best.Clone()
		w := said(other, Graph.Witness(), true, FieldCaller, FieldDuration, FieldEnd)
		if !r.Fold(&w) || r.Caller != "+99" || r.Duration != 77 || r.Successful || !r.End.Equal(other.End) {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("the same once more changes nothing", func(t *testing.T) {
		r := best.Clone()
		if w := best.Clone(); r.Fold(&w) || !r.Equal(&best) {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("a better witness of the same value is noted", func(t *testing.T) {
		r := said(full, CDR.Witness(), false, FieldCaller)
		w := said(full, Graph.Witness(), false, FieldCaller)
		r.Seen = w.Seen
		if !r.Fold(&w) || r.By[FieldCaller] != Graph.Witness() || r.Caller != full.Caller {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("what nobody has settled is not taken", func(t *testing.T) {
		r := said(full, CDR.Witness(), false, FieldCaller)
		w := Row{Callee: "+99", Duration: 77, Seen: r.Seen}
		if r.Fold(&w) || r.Callee != "" || r.Duration != 0 {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("the id and the tenant stay, and the start moves", func(t *testing.T) {
		r := said(full, CDR.Hearsay(), false, FieldCaller)
		w := best.Clone()
		w.ID, w.Tenant, w.Start = GUID{8}, GUID{9}, full.Start.Add(time.Hour)
		if !r.Fold(&w) || r.ID != full.ID || r.Tenant != full.Tenant || !r.Start.Equal(w.Start) {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("a witness with nothing new is noted as seen", func(t *testing.T) {
		r := best.Clone()
		w := Row{ID: best.ID, Start: best.Start}
		w.Settle(RADIUS.Hearsay(), false)
		w.By = [NumFields]Witness{}
		if !r.Fold(&w) || !r.Seen.Has(RADIUS) || r.Fold(&w) {
			t.Errorf("got %+v", r)
		}
	})
}
