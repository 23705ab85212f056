package pebble

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/trunklog/trunklog/call"
)

// corruption turns Pebble's error about damage into ours: which file, where in it, and what is
// wrong, as far as the text tells.
func corruption(err error) *call.CorruptError {
	c := &call.CorruptError{Offset: -1}
	whole := err
	if info := pebble.ExtractDataCorruptionInfo(err); info != nil {
		c.File = filepath.Base(info.Path)
		err = info.Details
	}
	text := plainText(err)
	if t := damagedTable(text); t != nil {
		return t
	}
	if l := damagedLog(whole); l != nil {
		return l
	}
	if c.File == "" {
		c.File = namedFile.FindString(text)
	}
	if m := namedTable.FindStringSubmatch(text); m != nil && c.File == "" && m[1] != "000000" {
		c.File = m[1] + ".sst"
	}
	if m := namedBlock.FindStringSubmatch(text); m != nil {
		c.Offset = parseOffset(m[1])
		c.Err = fmt.Errorf("the checksum of a block of %s bytes is wrong", m[2])
		if !strings.Contains(text, "checksum mismatch") {
			c.Err = fmt.Errorf("a block of %s bytes cannot be read", m[2])
		}
		return c
	}
	c.Err = errors.New(withoutMarks(text))
	return c
}

// The texts of Pebble's errors. They match with and without redaction.
var (
	namedFile    = regexp.MustCompile(`\b(\d{6,}\.(sst|log|blob)|MANIFEST-\d{6,}|OPTIONS-\d{6,})\b`)
	namedTable   = regexp.MustCompile(`\b(?:file|invalid table) (\d{6,})\b`)
	namedBlock   = regexp.MustCompile(`\bblock (\d+)/(\d+)`)
	wrongSize    = regexp.MustCompile(`\b(\d{6,}): object size mismatch \([^)]*\): (\d+) \(\w+\) != (\d+)`)
	missingTable = regexp.MustCompile(`\bfile (\d{6,}) \(type sstable\) unknown`)
	inLog        = regexp.MustCompile(`replaying wal (\d+), offset \(.*?(\d+)\)`)
	redacted     = regexp.MustCompile(` ?\(×\)|\s*×( != ×)?`)
)

func withoutMarks(text string) string { return strings.TrimSpace(redacted.ReplaceAllString(text, "")) }

// damagedTable returns the error for a table that is missing, too short or too long; nil if text is
// about something else. Pebble does not call that corruption.
func damagedTable(text string) *call.CorruptError {
	if m := wrongSize.FindStringSubmatch(text); m != nil {
		return &call.CorruptError{File: m[1] + ".sst", Offset: -1, Err: fmt.Errorf("the file has %s bytes and was written with %s", m[2], m[3])}
	}
	if m := missingTable.FindStringSubmatch(text); m != nil {
		return &call.CorruptError{File: m[1] + ".sst", Offset: -1, Err: errMissing}
	}
	return nil
}

var errMissing = errors.New("the file is missing")

// damagedLog returns where a log becomes unreadable, from the details of Pebble's error; nil if err
// is about something else.
func damagedLog(err error) *call.CorruptError {
	m := inLog.FindStringSubmatch(fmt.Sprintf("%+v", err))
	if m == nil {
		return nil
	}
	return &call.CorruptError{
		File: fmt.Sprintf("%06s.log", m[1]), Offset: parseOffset(m[2]),
		Err: errors.New("the log cannot be read from here on, though others come after it or more of it was written"),
	}
}

// parseOffset returns the number in text, or -1.
func parseOffset(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return -1
	}
	return n
}
