package e2e

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// docCommand is a command that a page shows.
type docCommand struct {
	line int
	text string
	// whole says that it can be run as it stands: nothing in it stands for something
	// else, such as FILE or ….
	whole bool
	// left is why it is not run here, as the page says; empty if it is.
	left string
}

var (
	notRun        = regexp.MustCompile(`^<!-- not run: (.+) -->$`)
	endsParagraph = regexp.MustCompile("^\\s*($|```|<!-- not run: )")
	inlineCode    = regexp.MustCompile("`([^`]+)`")
	placeholder   = regexp.MustCompile(`…|(?:^|[\s=|/])[A-Z]{2,}(?:$|[\s=|,.:])|\\\|`)
	shells        = map[string]bool{"sh": true, "console": true}
)

// readPage takes the commands out of a page, in their order: fences of sh, fences of
// console behind "$ ", and within texts lines of the program, what begins with the
// name of one of its commands, and flags. A comment
// "<!-- not run: WHY -->" above a fence or a paragraph is for all commands in it.
//
// What is wrong with the page itself: a fence that does not say what it holds, a
// block that is indented instead, a comment that is above no command.
func readPage(page string, names []string) (commands []docCommand, faults []string) {
	fault := func(line int, format string, a ...any) {
		faults = append(faults, fmt.Sprintf("%d: %s", line, fmt.Sprintf(format, a...)))
	}
	lines := strings.Split(page, "\n")
	left, leftAt, before := "", 0, ""
	for n := 0; n < len(lines); n++ {
		line := strings.TrimSpace(lines[n])
		start, count := n, len(commands)
		switch m := notRun.FindStringSubmatch(line); {
		case m != nil:
			left, leftAt = m[1], n+1
			continue
		case strings.HasPrefix(line, "```"):
			language := strings.TrimPrefix(line, "```")
			for n++; n < len(lines) && strings.TrimSpace(lines[n]) != "```"; n++ {
			}
			if n == len(lines) {
				fault(start+1, "this fence does not end")
			}
			if language == "" {
				fault(start+1, "this fence does not say what it holds: sh and console are run, any other name is not")
			}
			if shells[language] {
				commands = append(commands, fenceCommands(lines[start+1:min(n, len(lines))], start+2, language)...)
			}
		case line == "":
			before = ""
			continue
		case before == "" && strings.HasPrefix(lines[n], "    "):
			fault(n+1, "this block is indented: use a fence that says what it holds")
		default:
			for n+1 < len(lines) && !endsParagraph.MatchString(lines[n+1]) {
				n++
			}
			commands = append(commands, inlineCommands(strings.Join(lines[start:n+1], "\n"), start+1, names)...)
		}
		before = line
		if left != "" && count == len(commands) {
			fault(leftAt, "nothing that follows is a command")
		}
		for i := range commands[count:] {
			commands[count+i].left = left
		}
		left = ""
	}
	return commands, faults
}

// fenceCommands takes the commands out of a fence: lines that end in \ go on.
func fenceCommands(lines []string, at int, language string) (commands []docCommand) {
	for n := 0; n < len(lines); n++ {
		text, prompt := strings.CutPrefix(strings.TrimSpace(lines[n]), "$ ")
		if text == "" || language == "console" && !prompt {
			continue // what the command before has printed
		}
		c := docCommand{line: at + n, whole: true}
		for ; strings.HasSuffix(text, `\`) && n+1 < len(lines); n++ {
			text = strings.TrimSuffix(text, `\`) + strings.TrimSpace(lines[n+1])
		}
		c.text = text
		commands = append(commands, c)
	}
	return commands
}

// inlineCommands takes the lines of the program out of a paragraph, and what is a
// part of one.
func inlineCommands(text string, at int, names []string) (commands []docCommand) {
	for _, m := range inlineCode.FindAllStringSubmatchIndex(text, -1) {
		code := strings.Join(strings.Fields(text[m[2]:m[3]]), " ")
		first, rest, _ := strings.Cut(code, " ")
		part := strings.HasPrefix(code, "--") || rest != "" && slices.Contains(names, first)
		if part {
			code = "trunklog " + code
		} else if first != "trunklog" || rest == "" {
			continue
		}
		commands = append(commands, docCommand{
			line:  at + strings.Count(text[:m[2]], "\n"),
			text:  code,
			whole: !part && !placeholder.MatchString(code),
		})
	}
	return commands
}

// TestReadPage: what is a command on a page, and what is wrong with a page.
func TestReadPage(t *testing.T) {
	for page, want := range map[string]string{
		"```console\n$ trunklog a \\\n    b\nprinted\n$ c\n```\n": "2 run: trunklog a b\n5 run: c\n",
		"```sh\na\n\nb\n```\n":                                                   "2 run: a\n4 run: b\n",
		"1. see\n\n   ```sh\n   a\n   ```\n":                                     "4 run: a\n",
		"see\n<!-- not run: why -->\n```sh\na\nb\n```\n```sh\nc\n```\n":          "4 not, why: a\n5 not, why: b\n8 run: c\n",
		"x `trunklog a\n--b` and `c d`, `calls`, `calls list`, `--e`, `f`\n":     "1 run: trunklog a --b\n2 look: trunklog calls list\n2 look: trunklog --e\n",
		"`trunklog a FILE`, `trunklog b …`, `trunklog c\\|d`, `trunklog E1` x\n": "1 look: trunklog a FILE\n1 look: trunklog b …\n1 look: trunklog c\\|d\n1 run: trunklog E1\n",
		"<!-- not run: why -->\n`trunklog a`\n`trunklog b`\n\n`trunklog c`\n":    "2 not, why: trunklog a\n3 not, why: trunklog b\n5 run: trunklog c\n",
		"```go\n$ a\n```\n":                "",
		"```\n$ a\n```\n":                  "fault 1: this fence does not say what it holds: sh and console are run, any other name is not\n",
		"```sh\na\n":                       "2 run: a\nfault 1: this fence does not end\n",
		"see\n\n    a b\n":                 "fault 3: this block is indented: use a fence that says what it holds\n",
		"<!-- not run: why -->\nnothing\n": "fault 1: nothing that follows is a command\n",
	} {
		var got strings.Builder
		commands, faults := readPage(page, []string{"calls"})
		for _, c := range commands {
			how := "look"
			if c.left != "" {
				how = "not, " + c.left
			} else if c.whole {
				how = "run"
			}
			fmt.Fprintf(&got, "%d %s: %s\n", c.line, how, c.text)
		}
		for _, f := range faults {
			fmt.Fprintf(&got, "fault %s\n", f)
		}
		if got.String() != want {
			t.Errorf("%q:\n%s, want\n%s", page, got.String(), want)
		}
	}
}

// TestHelpFaults: a command or a flag that is not there is seen.
func TestHelpFaults(t *testing.T) {
	h := help{
		"":           "Available Commands:\n  calls       Look\n  import      Take\n\nFlags:\n      --data DIR   keep\n",
		"calls":      "Usage:\n  trunklog calls [command]\n\nAvailable Commands:\n  list        List\n\nFlags:\n  -h, --help   help\n",
		"calls list": "Usage:\n  trunklog calls list [flags]\n\nFlags:\n      --keep-sip X   x\n  -o, --output FORM   x\n",
		"import":     "Usage:\n  trunklog import FORMAT FILE… [flags]\n\nFlags:\n      --map FILE   x\n",
	}
	for text, want := range map[string]string{
		"trunklog calls list --output json": "",
		"trunklog import csv --map FILE":    "",
		"trunklog --map FILE --data DIR":    "",
		"trunklog calls lists":              `there is no command "calls lists"`,
		"trunklog call list":                `there is no command "call list"`,
		"trunklog calls list --keep 3d":     "there is no flag --keep",
		"trunklog import csv --keep-sip 3d": "there is no flag --keep-sip",
		"trunklog --keep":                   "there is no flag --keep",
	} {
		if got := h.fault(text); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}
