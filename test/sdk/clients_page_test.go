package sdk

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/trunklog/trunklog/test/kit"
)

// pageClients say how each program of ../../docs/clients.md is run that is run. Each but
// that in Go comes by standard input, so that it may stand anywhere.
var pageClients = map[string]func(t *testing.T, program string) (stdin string, command []string){
	"Go": func(t *testing.T, program string) (string, []string) {
		file := filepath.Join(t.TempDir(), "main.go")
		if err := os.WriteFile(file, []byte(program), 0o600); err != nil {
			t.Fatal(err)
		}
		return "", []string{"go", "run", file}
	},
	"JavaScript": func(t *testing.T, program string) (string, []string) {
		needJS(t)
		return program, []string{"node", "--input-type=module", "-"}
	},
	"Python": func(t *testing.T, program string) (string, []string) { return program, []string{python(t), "-"} },
	"curl": func(t *testing.T, program string) (string, []string) {
		kit.Need(t, "curl")
		kit.Need(t, "jq")
		return "", []string{"sh", "-c", program}
	},
}

// TestClientsPage runs the programs of ../../docs/clients.md as they stand there, but for
// the host: each reads every row once. A program that is not run says so.
func TestClientsPage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/clients.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := generate(t, pageSize+300, 6)
	h := newHouse(t, rows)
	s := h.serve(t)
	host := strings.TrimPrefix(s.url, "https://")
	run := 0
	for section := range strings.SplitSeq(string(page), "\n## ") {
		name, text, _ := strings.Cut(section, "\n")
		marked := strings.Contains(text, "Run in our tests: `TestClientsPage/"+name+"`")
		prepare, runs := pageClients[name]
		fences := strings.Split(text, "\n```")
		if runs != marked || len(fences) > 1 && !runs && !strings.HasPrefix(strings.TrimSpace(text), "Written from documentation") {
			t.Errorf("%q does not say rightly whether it is run", name)
		}
		if !runs {
			continue
		}
		run++
		t.Run(name, func(t *testing.T) {
			_, program, _ := strings.Cut(fences[1], "\n") // behind the name of its language
			program = strings.NewReplacer("calls.contoso.com:8443", host, "calls.contoso.com", "localhost").Replace(program)
			stdin, command := prepare(t, program)
			readOnce(t, strings.Fields(runClient(t, s.clientEnv(), stdin, command...)), rows)
		})
	}
	if run != len(pageClients) {
		t.Errorf("%d programs of the page were run, want %d", run, len(pageClients))
	}
}
