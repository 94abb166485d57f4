package node

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write "+flagsPage+" anew")

const flagsPage = "../../roomd/FLAGS.md"

// The page of flags is made from what --help is made from: go test ./cmd/internal/node -run TestFlagsPage -update
func TestFlagsPage(t *testing.T) {
	page := renderFlags(t)
	if *update {
		if err := os.WriteFile(flagsPage, page, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	written, err := os.ReadFile(flagsPage)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(written, page) {
		t.Errorf("%s is not what the flags are; -update writes it. Its first other line is\n%s", flagsPage, firstOther(page, written))
	}
}

func renderFlags(t *testing.T) []byte {
	t.Helper()
	var cli flags
	p, err := newParser(&cli, &bytes.Buffer{}, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	var page bytes.Buffer
	page.WriteString(`# Flags of roomd

Made from the flags themselves by a test; do not edit. Every flag is also an environment variable: ` + "`--max-message`" + ` is
` + "`ROOMD_MAX_MESSAGE`" + `, several values with commas between them. A JSON file with the same names is read with ` + "`--config`" + `. The command line wins over the
environment, the environment over the file. Secrets come from ` + "`ROOMD_JWT_KEY`, `ROOMD_API_KEY`, `ROOMD_HOOK_KEY`" + ` or a ` + "`…-file`" + ` flag only. A mistake is
answered with the flag, its variable and what to write instead.
`)
	for _, group := range groups {
		fmt.Fprintf(&page, "\n## %s\n\n| flag | default | |\n|---|---|---|\n", strings.TrimSuffix(group.Title, ":"))
		for _, f := range p.Model.Flags {
			if f.Group == nil || f.Group.Key != group.Key {
				continue
			}
			name, value := "--"+f.Name, ""
			if f.Tag.Negatable != "" {
				name = "--[no-]" + f.Name
			}
			if f.PlaceHolder != "" && !f.IsBool() && f.Default == "" {
				name += "=" + f.PlaceHolder
			}
			if f.Default != "" {
				value = "`" + f.Default + "`"
			}
			fmt.Fprintf(&page, "| `%s` | %s | %s |\n", name, value, strings.ReplaceAll(f.Help, "|", `\|`))
		}
	}
	return page.Bytes()
}

// firstOther is the first line of a that b does not have in its place.
func firstOther(a, b []byte) string {
	other := strings.Split(string(b), "\n")
	for i, line := range strings.Split(string(a), "\n") {
		if i >= len(other) || other[i] != line {
			return line
		}
	}
	return "none: it has lines too many"
}
