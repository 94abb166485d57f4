package house

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const root = "../../.."

// written are the kinds of files that people write and read.
var written = []string{".go", ".md", ".js", ".ts", ".html", ".css", ".conf", ".env", ".sh", ""}

// ours are the folders with a dot that are read too.
var ours = []string{".ci"}

var (
	markdown = regexp.MustCompile(`[\w./:-]*\w\.md\b`)
	ticket   = regexp.MustCompile(`(?i)\bissue #?\d+`)
)

// Who reads a comment or a document can look up all that it names: no file that is not here, and no ticket that is somewhere else.
func TestWhatIsNamedIsHere(t *testing.T) {
	seen := 0
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		name := entry.Name()
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			if path != root && (name == "node_modules" || name == "fuzz" || name[0] == '.' && !slices.Contains(ours, name)) {
				return fs.SkipDir
			}
			return nil
		case !entry.Type().IsRegular() || !slices.Contains(written, filepath.Ext(name)):
			return nil
		}
		if info, err := entry.Info(); err != nil || info.Size() > 1<<20 { // a program that somebody has built here
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		seen++
		for i, line := range strings.Split(string(text), "\n") {
			for _, named := range markdown.FindAllString(line, -1) {
				if !strings.Contains(named, "://") && !exists(filepath.Join(filepath.Dir(path), named)) && !exists(filepath.Join(root, named)) {
					t.Errorf("%s:%d names %s, which is not here", path, i+1, named)
				}
			}
			if named := ticket.FindString(line); named != "" {
				t.Errorf("%s:%d names %q; say what it is about", path, i+1, named)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 100 {
		t.Errorf("only %d files were looked at", seen)
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
