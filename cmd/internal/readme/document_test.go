package readme

import (
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

// maxLines is what somebody reads who has a minute.
const maxLines = 200

func TestFrontPageIsShort(t *testing.T) {
	if n := len(read(t, "README.md").lines); n > maxLines {
		t.Errorf("README.md has %d lines, at most %d: move what is long to where it belongs, and link it", n, maxLines)
	}
}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// Every link within the repository leads somewhere, to the heading too.
func TestLinks(t *testing.T) {
	seen := 0
	for _, name := range documents(t) {
		doc := read(t, name)
		for _, found := range link.FindAllStringSubmatch(doc.prose(), -1) {
			to, err := url.Parse(found[1])
			if err != nil {
				t.Errorf("%s links to %q: %v", name, found[1], err)
				continue
			}
			if to.Scheme != "" {
				continue
			}
			seen++
			target := filepath.Join(filepath.Dir(name), to.Path)
			if to.Path == "" {
				target = name
			}
			if _, err := os.Stat(filepath.Join(root, target)); err != nil {
				t.Errorf("%s links to %s, which is not there", name, found[1])
			} else if to.Fragment != "" && !read(t, target).anchors()[to.Fragment] {
				t.Errorf("%s links to %s, but %s has no such heading", name, found[1], target)
			}
		}
	}
	if seen < 20 {
		t.Errorf("only %d links were looked at", seen)
	}
}

// runs says what runs each block of the documents, by a part of it that no other block there has; for what cannot be run, why.
// The blocks roomd and hook of rooms/wire/README.md are played by the contract's tests, whatever they hold.
var runs = map[string]map[string]string{
	"README.md": {
		"go test ./...": "TestFrontPage", "nats pub room.general.event": "TestFrontPage", "send general": "TestFrontPage",
		"client.Dial": "TestFrontPage", "place_bet": "TestProgram", "/client.js": "browser.TestJavaScriptClient", "rooms  rooms/eventlog": "house: a drawing",
	},
	"cmd/internal/hostile/README.md": {"ROOMD_HOSTILE=full": ".ci/run, in its short form"},
	"cmd/roomd/PROMISES.md":          {"ROOMD_FAULTS=full": ".ci/run, in its short form"},
	"cmd/roombench/README.md":        {"fanout --against hub": "roombench.TestReadmesCommands: understood, not run; they take an hour"},
	"cmd/roomd/INTERNET.md":          {"--trusted-proxy": "TestInternet", "nats-password": "TestInternet"},
	"cmd/roomd/TABLES.md": {
		"table resume baccarat-7": "roomctl.TestTable", "RoomdTableBroken": "node.TestTablesPage: the metrics exist",
	},
	"testdata/cluster/README.md": {
		"--addr localhost:3001": "TestFirstLook", "nats req rooms.members": "TestFirstLook", "secrets.sh": "TestProduction", "kill $nodes": "TestProduction",
		"examples/take": "TestProduction", "upstream roomd": "nobody: it is nginx's",
	},
	"rooms/baccarat/README.md": {"createHmac": "jsclient.TestShuffle", "baccarat verify": "roomctl.TestBaccaratVerify"},
	"rooms/table/README.md": {
		"type rps struct": "rooms.TestTableReadme", "rooms.Host": "rooms.TestTableReadme", "tabletest.Run": "rooms.TestTableReadme",
	},
	"session/hooks/README.md": {
		"node:crypto": "jsclient.TestSite", "nats.Connect": "nobody: a part of a program; hooks.Example is whole",
		"roomd --hook login=": "nobody: a site of somebody's; what it gets and answers is played from rooms/wire/README.md",
	},
	"session/client/js/README.md": {
		"/client.js": "browser.TestJavaScriptClient", "baccarat-1": "jsclient.TestNode", "interface Events": "jsclient.TestTypes", "async function token": "nobody: it needs a site's backend", "Cookie: cookie": "nobody: it needs a site's backend", "proxy_pass": "nobody: it is nginx's",
	},
}

// Every block that a reader may paste has somebody who runs it, or a reason; a new one wants a line in runs.
func TestBlocksAreRun(t *testing.T) {
	for _, name := range documents(t) {
		found := map[string]int{}
		for _, b := range read(t, name).blocks() {
			if name == "rooms/wire/README.md" && (b.language == "roomd" || b.language == "hook") {
				continue
			}
			known := false
			for part := range runs[name] {
				if strings.Contains(b.text, part) {
					known = true
					found[part]++
				}
			}
			if !known {
				t.Errorf("%s shows a block that nothing runs; run it, and say so in runs:\n%s", name, b.text)
			}
		}
		for part, by := range runs[name] {
			if found[part] != 1 {
				t.Errorf("%s has %d blocks with %q (%s), want one", name, found[part], part, by)
			}
		}
	}
}

// documents are the Markdown files, from the root.
func documents(t *testing.T) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != root && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "node_modules"):
			return fs.SkipDir
		case filepath.Ext(path) != ".md":
			return nil
		}
		name, err := filepath.Rel(root, path)
		names = append(names, name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// document is a Markdown file.
type document struct{ lines []string }

// read reads the file of that name, from the root.
func read(t *testing.T, name string) document {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return document{strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")}
}

const fence = "```"

// walk calls fn with each line, and the language of the block that it is in; fences are in none.
func (d document) walk(fn func(line, language string, inBlock bool)) {
	language, in := "", false
	for _, line := range d.lines {
		if rest, ok := strings.CutPrefix(line, fence); ok {
			language, in = rest, !in
			fn(line, "", false)
			continue
		}
		fn(line, language, in)
	}
}

// block is what stands between two fences.
type block struct{ language, text string }

// blocks are all of them.
func (d document) blocks() (all []block) {
	inside := false
	d.walk(func(line, language string, inBlock bool) {
		switch {
		case !inBlock:
			inside = false
		case !inside:
			inside, all = true, append(all, block{language, line + "\n"})
		default:
			all[len(all)-1].text += line + "\n"
		}
	})
	return all
}

// code returns the blocks of that language.
func (d document) code(language string) (texts []string) {
	for _, b := range d.blocks() {
		if b.language == language {
			texts = append(texts, b.text)
		}
	}
	return texts
}

// prose is what is not code.
func (d document) prose() string {
	var text strings.Builder
	d.walk(func(line, _ string, inBlock bool) {
		if !inBlock {
			text.WriteString(line + "\n")
		}
	})
	return text.String()
}

// anchors are the names that GitHub gives the headings.
func (d document) anchors() map[string]bool {
	names := map[string]bool{}
	d.walk(func(line, _ string, inBlock bool) {
		if heading, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && !inBlock && strings.HasPrefix(line, "#") {
			names[strings.Map(func(r rune) rune {
				switch {
				case unicode.IsLetter(r) || unicode.IsDigit(r) || r == '-' || r == '_':
					return unicode.ToLower(r)
				case r == ' ':
					return '-'
				}
				return -1
			}, heading)] = true
		}
	})
	return names
}
