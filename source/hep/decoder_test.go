package hep

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/trunklog/trunklog/call"
)

// message returns a BYE with the given Call-ID.
func message(id string) string { return strings.Replace(bye, "Call-ID: bye", "Call-ID: "+id, 1) }

// packet returns a packet with the BYE of the given Call-ID.
func packet(id string) []byte {
	return draft{at: benchTime, src: "10.0.0.1:5060", dst: "10.0.0.2:5061", payload: message(id)}.bytes()
}

// read returns the Call-IDs in a file, and its errors in angle brackets.
func read(r io.Reader) (got []string, notes []string) {
	for e, err := range Decoder(func(s string) { notes = append(notes, s) })(r) {
		var broken *call.SyntaxError
		switch {
		case errors.As(err, &broken):
			size, _, _ := strings.Cut(string(broken.Raw), " bytes")
			got = append(got, fmt.Sprintf("<%v; %s bytes>", broken, size))
		case err != nil:
			got = append(got, "<<"+err.Error()+">>")
		case e.Kind != call.MessageEvent || e.Call != e.Signal.CallID || string(e.Signal.Raw) != message(e.Call):
			got = append(got, "not the message that was sent")
		default:
			got = append(got, e.Call)
		}
	}
	return got, notes
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// TestDecoder reads files with every kind of fault.
func TestDecoder(t *testing.T) {
	a, b, c := packet("a"), packet("b"), packet("c")
	broken := func(change func(b []byte)) []byte {
		out := bytes.Clone(b)
		change(out)
		return out
	}
	rtcp := draft{kind: 5, payload: "{}"}.bytes()
	at := len(a)
	syntax := func(n, at int, cause Cause, raw int) string {
		return fmt.Sprintf("<invalid: packet %d, which begins at byte %d: %v; %d bytes>", n, at, cause, raw)
	}
	noise := strings.Repeat("noise HE", 300)
	for _, test := range []struct {
		name string
		file []byte
		want []string
	}{
		{"nothing", nil, nil},
		{"three", join(a, b, c), []string{"a", "b", "c"}},
		{"something else", join(a, rtcp, c, rtcp), []string{"a", "c"}},
		{"noise in front", join([]byte("noise"), a), []string{syntax(1, 0, Magic, 5), "a"}},
		{"noise between", join(a, []byte(noise), c), []string{"a", syntax(2, at, Magic, len(noise)), "c"}},
		{"noise behind", join(a, []byte(noise)), []string{"a", syntax(2, at, Magic, len(noise))}},
		{"much noise", join(a, bytes.Repeat([]byte(noise), 100), c), []string{"a", syntax(2, at, Magic, maxSample), "c"}},
		{"no call-id", join(a, draft{at: benchTime, payload: "OPTIONS sip:b SIP/2.0\r\n\r\n"}.bytes(), c), []string{"a", syntax(2, at, SIPCallID, 88), "c"}},
		{"no time", join(a, draft{payload: bye}.bytes(), c), []string{"a", syntax(2, at, Time, len(draft{payload: bye}.bytes())), "c"}},
		{"length too small", join(a, broken(func(b []byte) { b[5]-- }), c), []string{"a", syntax(2, at, ChunkOverrun, len(b)), "c"}},
		{"length too large", join(a, broken(func(b []byte) { b[4]++ }), c, c, c), []string{"a", syntax(2, at, ChunkOverrun, len(b)), "c", "c", "c"}},
		{"length beyond the end", join(a, broken(func(b []byte) { b[4] = 0xff }), c), []string{"a", syntax(2, at, Length, len(b)), "c"}},
		{"length of nothing", join(a, broken(func(b []byte) { b[4], b[5] = 0, 0 }), c), []string{"a", syntax(2, at, Length, len(b)), "c"}},
		{"chunk of length 0", join(a, broken(func(b []byte) { b[11] = 0 }), c), []string{"a", syntax(2, at, ChunkZero, len(b)), "c"}},
		{"version 2", join(a, broken(func(b []byte) { b[3] = '2' }), c), []string{"a", syntax(2, at, Version, len(b)), "c"}},
		{"cut in the header", join(a, b[:3]), []string{"a", fmt.Sprintf("<<the file ends in the middle: packet 2, which begins at byte %d, is not complete: unexpected EOF>>", at)}},
		{"cut", join(a, b[:len(b)-1]), []string{"a", fmt.Sprintf("<<the file ends in the middle: packet 2, which begins at byte %d, is not complete: unexpected EOF>>", at)}},
	} {
		for how, r := range map[string]io.Reader{"": bytes.NewReader(test.file), " byte by byte": iotest.OneByteReader(bytes.NewReader(test.file))} {
			got, notes := read(r)
			if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", test.want) {
				t.Errorf("%s%s:\n%q, want\n%q", test.name, how, got, test.want)
			}
			if strings.Contains(test.name, "else") != (len(notes) == 1) {
				t.Errorf("%s%s: notes %q", test.name, how, notes)
			} else if len(notes) == 1 && notes[0] != "2 packets carry something else than SIP and are left out" {
				t.Errorf("note %q", notes[0])
			}
		}
	}
}

// TestDecoderReadError checks that the decoder yields a reader's error, and nothing after it.
func TestDecoderReadError(t *testing.T) {
	a := packet("a")
	for _, n := range []int{0, 3, len(a) - 1, len(a), len(a) + 2} {
		gone := errors.New("disk gone")
		r := io.MultiReader(bytes.NewReader(join(a, a)[:n]), iotest.ErrReader(gone))
		var last error
		count := 0
		for _, err := range Decoder(nil)(r) {
			if last != nil {
				t.Error("something came behind the error")
			}
			last = err
			count++
		}
		if !errors.Is(last, gone) || count != 1+n/len(a) {
			t.Errorf("%d bytes: %v after %d", n, last, count)
		}
	}
}

// TestDecoderStops checks that the decoder stops when its caller does, and that the signals it has
// yielded stay intact.
func TestDecoderStops(t *testing.T) {
	file := join(packet("a"), []byte("noise"), packet("b"), draft{at: benchTime, payload: zlibbed(message("c")), packed: true}.bytes(), draft{at: benchTime, payload: zlibbed(message("d")), packed: true}.bytes())
	for stop := 1; stop <= 5; stop++ {
		count := 0
		var kept []*call.Signal
		for e, err := range Decoder(nil)(bytes.NewReader(file)) {
			if err == nil {
				kept = append(kept, e.Signal)
			}
			if count++; count == stop {
				break
			}
		}
		var ids []string
		for _, s := range kept {
			ids = append(ids, s.CallID)
		}
		if want := []string{"a", "a", "a b", "a b c", "a b c d"}[stop-1]; strings.Join(ids, " ") != want {
			t.Errorf("stopped after %d with %q, want %s", stop, ids, want)
		}
	}
}

// TestDecoderAt checks that packets without a time get that of the clock, that the others keep
// theirs, and that note says so once.
func TestDecoderAt(t *testing.T) {
	now := benchTime.AddDate(1, 0, 0)
	clock := func() time.Time { now = now.Add(time.Millisecond); return now }
	var got, notes []string
	file := join(draft{payload: message("a")}.bytes(), packet("b"), draft{payload: message("c")}.bytes())
	for e, err := range DecoderAt(clock, func(s string) { notes = append(notes, s) })(bytes.NewReader(file)) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e.Call+" "+e.Signal.At.Format("2006-01-02T15:04:05.000"))
	}
	if want := "[a 2027-11-23T12:00:00.001 b 2026-11-23T12:00:00.000 c 2027-11-23T12:00:00.002]"; fmt.Sprint(got) != want {
		t.Errorf("%v, want %s", got, want)
	}
	if len(notes) != 1 || !strings.HasPrefix(notes[0], "2 packets have no time") {
		t.Errorf("notes %q", notes)
	}
}

// TestDecoderTimes checks that the decoder takes times as they are.
func TestDecoderTimes(t *testing.T) {
	for _, at := range []time.Time{time.Unix(1, 0), benchTime.AddDate(-20, 0, 0), benchTime.AddDate(20, 0, 0)} {
		for e, err := range Decoder(nil)(bytes.NewReader(draft{at: at, payload: bye}.bytes())) {
			if err != nil || !e.Signal.At.Equal(at) {
				t.Errorf("%v: %v, %v", at, e.Signal, err)
			}
		}
	}
}
