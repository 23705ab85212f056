package main

import (
	"fmt"
	"regexp"
	"strings"
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
	notRun      = regexp.MustCompile(`^<!-- not run: (.+) -->$`)
	inlineCode  = regexp.MustCompile("`([^`]+)`")
	placeholder = regexp.MustCompile(`…|(?:^|[\s=|/])[A-Z]{2,}(?:$|[\s=|,.:])|\\\|`)
	shells      = map[string]bool{"sh": true, "console": true}
)

// readPage takes the commands out of a page, in their order: fences of sh, fences of
// console behind "$ ", and lines of the program within texts. A comment
// "<!-- not run: WHY -->" above a fence or a paragraph is for all commands in it.
//
// What is wrong with the page itself: a fence that does not say what it holds, a
// block that is indented instead, a comment that is above no command.
func readPage(page string) (commands []docCommand, faults []string) {
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
			for n+1 < len(lines) && strings.TrimSpace(lines[n+1]) != "" && !strings.HasPrefix(strings.TrimSpace(lines[n+1]), "```") {
				n++
			}
			commands = append(commands, inlineCommands(strings.Join(lines[start:n+1], "\n"), start+1)...)
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

// inlineCommands takes the lines of the program out of a paragraph.
func inlineCommands(text string, at int) (commands []docCommand) {
	for _, m := range inlineCode.FindAllStringSubmatchIndex(text, -1) {
		code := strings.Join(strings.Fields(text[m[2]:m[3]]), " ")
		if !strings.HasPrefix(code, "trunklog ") {
			continue
		}
		commands = append(commands, docCommand{
			line:  at + strings.Count(text[:m[2]], "\n"),
			text:  code,
			whole: !placeholder.MatchString(code),
		})
	}
	return commands
}
