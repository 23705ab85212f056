package xlsx

import (
	"errors"
	"io/fs"
	"strconv"
	"strings"
)

// A style says what the number in a cell stands for.
type style struct {
	kind   kind
	prefix string // of a plain number, such as +
	digits int    // the least number of digits that a plain number shows
}

type kind uint8

const (
	plain    kind = iota // a number
	date                 // a day
	clock                // a time of day
	dateTime             // both
	elapsed              // hours, minutes and seconds, without end
)

// readStyles reads the number formats of a workbook.
func (b *Book) readStyles(part string) error {
	var sheet struct {
		Formats []struct {
			ID   int    `xml:"numFmtId,attr"`
			Code string `xml:"formatCode,attr"`
		} `xml:"numFmts>numFmt"`
		Cells []struct {
			Format int `xml:"numFmtId,attr"`
		} `xml:"cellXfs>xf"`
	}
	if err := b.read(part, &sheet); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	styles := make(map[int]style)
	for _, f := range sheet.Formats {
		styles[f.ID] = styleOf(f.Code)
	}
	for _, c := range sheet.Cells {
		s, ok := styles[c.Format]
		if !ok {
			s = builtIn(c.Format)
		}
		b.styles = append(b.styles, s)
	}
	return nil
}

// styleOf returns the style with the given number, as cells refer to it.
func (b *Book) styleOf(s string) style {
	if i, err := strconv.Atoi(s); err == nil && i >= 0 && i < len(b.styles) {
		return b.styles[i]
	}
	return style{}
}

// builtIn returns the style of a format that workbooks do not define (18.8.30).
func builtIn(id int) style {
	switch {
	case id == 22:
		return style{kind: dateTime}
	case 14 <= id && id <= 17, 27 <= id && id <= 31, id == 36, 50 <= id && id <= 54, 57 <= id && id <= 58:
		return style{kind: date}
	case 18 <= id && id <= 21, 32 <= id && id <= 35, 55 <= id && id <= 56, id == 45, id == 47:
		return style{kind: clock}
	case id == 46:
		return style{kind: elapsed}
	}
	return style{}
}

// styleOf returns the style of a format by its code: the part before the first semicolon, which is
// for positive numbers.
func styleOf(code string) style {
	var letters, literal strings.Builder // placeholders for the number, and literal text
	for i := 0; i < len(code) && code[i] != ';'; i++ {
		switch c := code[i]; c {
		case '"':
			quoted, _, _ := strings.Cut(code[i+1:], `"`)
			literal.WriteString(quoted)
			i += len(quoted) + 1
		case '\\', '_', '*':
			if i++; c == '\\' && i < len(code) {
				literal.WriteByte(code[i])
			}
		case '[':
			in, _, _ := strings.Cut(code[i+1:], "]")
			if low := strings.ToLower(in); low != "" && strings.Trim(low, low[:1]) == "" && strings.Contains("hms", low[:1]) {
				return style{kind: elapsed}
			}
			i += len(in) + 1 // a colour, a language or a condition
		case '+', '-':
			literal.WriteByte(c)
		default:
			letters.WriteByte(c)
		}
	}
	return styleOfLetters(strings.ToLower(letters.String()), literal.String(), code)
}

func styleOfLetters(letters, literal, code string) style {
	if letters != "" && strings.Trim(letters, "0#") == "" {
		return styleOfDigits(letters, literal, code)
	}
	if strings.ContainsAny(letters, "0#?") && !strings.ContainsAny(letters, "yd") && !strings.Contains(letters, "s") {
		return style{}
	}
	if strings.Contains(letters, "general") {
		return style{}
	}
	day := strings.ContainsAny(letters, "yd") || strings.Contains(letters, "mmm")
	time := strings.ContainsAny(letters, "hs")
	switch {
	case day && time:
		return style{kind: dateTime}
	case day:
		return style{kind: date}
	case time:
		return style{kind: clock}
	}
	return style{}
}

// styleOfDigits returns the style of a number with leading zeros, or with a literal prefix, as of a
// telephone number.
func styleOfDigits(letters, literal, code string) style {
	first, _, _ := strings.Cut(code, ";")
	s := style{digits: strings.Count(letters, "0")}
	if strings.HasSuffix(first, letters) && strings.Trim(literal, "+0123456789") == "" {
		s.prefix = literal
	}
	return s
}
