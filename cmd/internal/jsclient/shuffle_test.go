package jsclient

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// TestShuffle: the program that rooms/baccarat/README.md shows shuffles as the
// vectors say.
func TestShuffle(t *testing.T) {
	node, _ := findNode(t)
	text, err := os.ReadFile("../../../rooms/baccarat/README.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```js\n(.*?)```").FindSubmatch(text)
	if block == nil {
		t.Fatal("the README shows no program")
	}
	program := filepath.Join(t.TempDir(), "shuffle.mjs")
	if err := os.WriteFile(program, block[1], 0o600); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile("../../../rooms/baccarat/testdata/shuffle.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct{ Why, Seed, Commit, Shoe string }
	if err := json.Unmarshal(data, &vectors); err != nil || len(vectors) < 4 {
		t.Fatalf("%d vectors, %v", len(vectors), err)
	}
	for _, v := range vectors {
		out, err := exec.CommandContext(t.Context(), node, program, v.Seed).Output()
		if err != nil {
			t.Fatal(err)
		}
		if want := v.Commit + "\n" + v.Shoe + "\n"; string(out) != want {
			t.Errorf("%s:\n%s\nwant\n%s", v.Why, out, want)
		}
	}
}
