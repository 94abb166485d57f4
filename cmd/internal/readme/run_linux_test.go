package readme

import (
	"go/format"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// ready waits until a server on port 3000 answers the path with something; curl does the waiting.
const ready = `curl -sS --retry 300 --retry-connrefused --retry-delay 1 -o /dev/null localhost:3000`

// The first block starts the server; then everything that is shown is done to it.
func TestFrontPage(t *testing.T) {
	blocks := read(t, "README.md").code("sh")
	if len(blocks) != 3 {
		t.Fatalf("README.md has %d shell blocks, this test knows what to do with 3", len(blocks))
	}
	start, test, _ := strings.Cut(strings.TrimSpace(blocks[0]), "\n")
	if test != "go test ./..." {
		t.Fatalf("the second command is %q; this test stands for go test ./...", test)
	}
	b := newBox(t)
	b.module(t, "client", goBlock(t, "session/client\""))
	out, err := b.run(t, "set -e\n("+untilComment(start)+") &\n"+ready+"/readyz\ncd $MINE/client; go run .; cd $OLDPWD\n"+blocks[1]+"\n"+blocks[2])
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{`stored as \d+ <nil>`, `\{"seq":\d+,"duplicate":false\}`, `dealer.*table opens`, `hello`, `HELD`, `(?m)^[\w-]+\.[\w-]+\.[\w-]+$`} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("nothing was written that is like %s", want)
		}
	}
	if t.Failed() {
		t.Log(out)
	}
}

// The program of "Build on it" is a server that stores a bet and refuses one of nothing.
func TestProgram(t *testing.T) {
	b := newBox(t)
	b.module(t, "server", goBlock(t, "place_bet"))
	out, err := b.run(t, "set -e\ncd $MINE/server; go build -o server .; ./server &\n"+ready+"/ws\nbet")
	if err != nil || !strings.Contains(out, "the bet stands") {
		t.Fatalf("%v\n%s", err, out)
	}
}

// The production block works pasted whole, and what it started is stopped as it says.
func TestProduction(t *testing.T) {
	blocks := read(t, "testdata/cluster/README.md").code("sh")
	if len(blocks) != 2 {
		t.Fatalf("%d shell blocks, want those that start and stop", len(blocks))
	}
	b := newBox(t)
	out, err := b.run(t, blocks[0]+"\necho verify ended with $?\n"+blocks[1]+"\n"+`jobs -r; test -z "$(jobs -r)" && echo nothing runs`)
	if err != nil {
		t.Errorf("%v", err)
	}
	for _, want := range []string{"HELD", "verify ended with 0", "nothing runs"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q was not written", want)
		}
	}
	for _, name := range []string{"roomd", "roomctl", "nats-server", "testdata/cluster/data", "testdata/cluster/secrets.env"} {
		if _, err := os.Stat(filepath.Join(b.dir, "repo", name)); !os.IsNotExist(err) {
			t.Errorf("%s is left behind (%v)", name, err)
		}
	}
	if t.Failed() {
		t.Log(out)
	}
}

// untilComment is a command without what is said about it.
func untilComment(line string) string {
	command, _, _ := strings.Cut(line, " #")
	return strings.TrimSpace(command)
}

// goBlock is the program of README.md that has this part.
func goBlock(t *testing.T, part string) string {
	t.Helper()
	for _, block := range read(t, "README.md").code("go") {
		if strings.Contains(block, part) {
			formatted, err := format.Source([]byte(block))
			if err != nil || strings.TrimSpace(string(formatted)) != strings.TrimSpace(block) {
				t.Errorf("the program with %s is not as gofmt has it (%v)", part, err)
			}
			return block
		}
	}
	t.Fatalf("README.md has no program with %s", part)
	return ""
}

// module writes the program as a user's module, which requires this one and all that this one does.
func (b box) module(t *testing.T, name, program string) {
	t.Helper()
	dir := filepath.Join(b.dir, "mine", name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	repo := filepath.Join(b.dir, "repo")
	mod, err := os.ReadFile(filepath.Join(repo, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	ours := regexp.MustCompile(`(?m)^module (\S+)$`).FindSubmatch(mod)
	if ours == nil {
		t.Fatal("go.mod names no module")
	}
	text := strings.Replace(string(mod), string(ours[0]), "module example.com/mine", 1)
	text = regexp.MustCompile(`(?ms)^tool (\(.*?^\)|\S+)$`).ReplaceAllString(text, "")
	text += "\nrequire " + string(ours[1]) + " v0.0.0\n\nreplace " + string(ours[1]) + " => " + repo + "\n"
	for file, content := range map[string]string{"main.go": program, "go.mod": text} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := copyFile(filepath.Join(repo, "go.sum"), filepath.Join(dir, "go.sum"), 0o644); err != nil {
		t.Fatal(err)
	}
}
