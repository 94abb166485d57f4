package rooms_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/table/tabletest"
)

func TestRockPaperScissors(t *testing.T) {
	tabletest.Run(t, rps{},
		tabletest.Joined("ann"), tabletest.Joined("bob"),
		tabletest.User("ann", "choose", `{"hand":"rock"}`),
		tabletest.User("ann", "choose", `{"hand":"paper"}`).Refused(),
		tabletest.User("bob", "choose", `{"hand":"spoon"}`).Refused(),
		tabletest.User("bob", "choose", `{"hand":"paper"}`),
		tabletest.Together(tabletest.User("ann", "choose", `{"hand":"rock"}`), tabletest.User("bob", "choose", `{"hand":"scissors"}`)),
		tabletest.User("bob", "send_message", `{"message":"again?"}`),
		tabletest.Left("bob"), tabletest.Wait(time.Hour),
		tabletest.Service("choose", `{"hand":"rock"}`).Refused(),
	)
}

// TestRockPaperScissorsGoldens: what its tables have stored is understood.
func TestRockPaperScissorsGoldens(t *testing.T) {
	tabletest.Goldens(t, rps{}, "testdata/rps",
		tabletest.User("ann", "choose", `{"hand":"rock"}`), tabletest.User("bob", "choose", `{"hand":"paper"}`),
		tabletest.User("bob", "send_message", `{"message":"again?"}`), tabletest.User("bob", "choose", `{"hand":"paper"}`),
	)
}

// TestTableReadme: the document shows the code of this package's tests.
func TestTableReadme(t *testing.T) {
	document, err := os.ReadFile("table/README.md")
	if err != nil {
		t.Fatal(err)
	}
	var code string
	for _, name := range []string{"example_test.go", "rps_test.go"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		code += string(text)
	}
	blocks := strings.Split(string(document), "```")
	if len(blocks) < 7 {
		t.Fatalf("it has %d blocks", len(blocks)/2)
	}
	for i := 1; i < len(blocks); i += 2 {
		block, ok := strings.CutPrefix(blocks[i], "go\n")
		if ok && !strings.Contains(squeezed(code), squeezed(block)) {
			t.Errorf("this is not in example_test.go, nor in rps_test.go:\n%s", block)
		}
	}
}

// squeezed is code without its indentation.
func squeezed(code string) string { return strings.Join(strings.Fields(code), " ") }
