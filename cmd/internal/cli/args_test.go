package cli

import (
	"strings"
	"testing"
)

func TestJoinNegatives(t *testing.T) {
	takesValue := func(flag string) bool { return flag == "rate" || flag == "nats-addr" }
	for args, want := range map[string]string{
		"":                        "",
		"--rate -1":               "--rate=-1",
		"x --rate -1.5s --json y": "x --rate=-1.5s --json y",
		"--rate -.5 -1":           "--rate=-.5 -1",
		"--rate=3 -1":             "--rate=3 -1",
		"--rate --json":           "--rate --json",
		"--rate":                  "--rate",
		"--nats-addr -":           "--nats-addr -", // not a number
		"--nats-addr -x":          "--nats-addr -x",
		"--json -1":               "--json -1",
		"--rate 1 -- --rate -1":   "--rate 1 -- --rate -1",
	} {
		if got := strings.Join(JoinNegatives(strings.Fields(args), takesValue), " "); got != want {
			t.Errorf("%q becomes %q, want %q", args, got, want)
		}
	}
}
