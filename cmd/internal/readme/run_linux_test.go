package readme

import (
	"go/format"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// wait, before an address, waits until a server there answers it with something; curl does the waiting.
const wait = `curl -sS --retry 300 --retry-connrefused --retry-delay 1 -o /dev/null `

// ready is that of a server on port 3000.
const ready = wait + "localhost:3000"

// until is a shell function: it runs a command until it succeeds, a minute long.
const until = `until_it() { for i in $(seq 600); do "$@" && return; sleep 0.1; done; echo "never: $*"; return 1; }
`

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
	shows(t, out, err, `stored as \d+ <nil>`, `\{"seq":\d+,"duplicate":false\}`, `dealer.*table opens`, `hello`, `HELD`, `(?m)^[\w-]+\.[\w-]+\.[\w-]+$`)
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
	service := strings.Split(strings.TrimSpace(holding(t, "testdata/cluster/README.md", "examples/take")), "\n")
	if len(service) != 4 {
		t.Fatalf("the block of take and give has %d lines, want one to make the consumer, one to take, and two to give", len(service))
	}
	take := until + service[0] + "\n" + service[1] + " & take=$!\n" + service[2] + "\n" + service[3] + "\n" +
		"until_it grep round-42 general.txt; kill $take; wait $take; rm general.txt\n"
	out, err := b.run(t, blocks[0]+"\necho verify ended with $?\n"+take+blocks[1]+"\n"+`jobs -r; test -z "$(jobs -r)" && echo nothing runs`)
	if err != nil {
		t.Errorf("%v", err)
	}
	for _, want := range []string{"HELD", "verify ended with 0", "round-42", "nothing runs"} {
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

// Two processes look like one server, and a service asks them over NATS.
func TestFirstLook(t *testing.T) {
	const doc = "testdata/cluster/README.md"
	first, second, _ := strings.Cut(strings.TrimSpace(holding(t, doc, "--addr localhost:3001")), "\n")
	out, err := newBox(t).run(t, "set -e\n"+first+" &\n"+ready+"/readyz\n"+second+" &\n"+wait+"localhost:3001/readyz\n"+
		"go run ./cmd/roomctl verify --url ws://localhost:3000/ws --url ws://localhost:3001/ws --duration 3s\n"+holding(t, doc, "nats req rooms.members"))
	shows(t, out, err, "HELD", `"count":0`, `"seq":\d+`, `"closed":0`)
}

// What cmd/roomd/INTERNET.md sets for one process behind a proxy does what it says: guests listen to results and speak in general,
// users come with a token, and the API, /metrics and NATS want their key or password.
func TestInternet(t *testing.T) {
	const doc = "cmd/roomd/INTERNET.md"
	start := strings.ReplaceAll(strings.TrimSpace(holding(t, doc, "--trusted-proxy 127.0.0.1")), "/var/lib/roomd", ".roomd")
	subscribe := strings.TrimSpace(holding(t, doc, "nats-password"))
	out, err := newBox(t).run(t, "set -e\ngo build -o $BIN ./cmd/roomd ./cmd/roomctl\n"+start+" &\n"+ready+"/readyz\n"+until+
		subscribe+" > heard & heard=$!\nuntil_it grep Subscribing heard\n"+`
roomctl send general "a guest speaks" && echo guest spoke in general
wait $heard; cat heard
roomctl send results "a guest may not" || echo guest only listens to results
roomctl send vip "a guest may not" || echo guest stays out of vip
ROOMCTL_TOKEN=$(roomctl token --sub alice) roomctl send vip "a user speaks" && echo user spoke in vip
ROOMCTL_API_KEY=$ROOMD_API_KEY roomctl history general
roomctl history general || echo no history without the key
curl -s -o /dev/null -w 'metrics %{http_code}\n' localhost:3000/metrics
curl -s -o /dev/null -w 'metrics with the key %{http_code}\n' -H "Authorization: Bearer $ROOMD_API_KEY" localhost:3000/metrics
nats pub room.general.event '{}' || echo no NATS without the password
`)
	shows(t, out, err, "guest spoke in general", `"message":"a guest speaks"`, "guest only listens to results", "guest stays out of vip", "user spoke in vip",
		`guest: a guest speaks`, "no history without the key", `metrics 40[134]`, "metrics with the key 200", "no NATS without the password")
}

// shows fails unless a script ended well and has written all that.
func shows(t *testing.T, out string, err error, patterns ...string) {
	t.Helper()
	if err != nil {
		t.Errorf("the script ended with %v", err)
	}
	for _, want := range patterns {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("nothing was written that is like %s", want)
		}
	}
	if t.Failed() {
		t.Log(out)
	}
}

// holding is the one block of a document that has this part.
func holding(t *testing.T, name, part string) string {
	t.Helper()
	var found []string
	for _, b := range read(t, name).blocks() {
		if strings.Contains(b.text, part) {
			found = append(found, b.text)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%s has %d blocks with %q, want one", name, len(found), part)
	}
	return found[0]
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
