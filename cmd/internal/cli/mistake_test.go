package cli

import (
	"testing"
	"time"

	"github.com/alecthomas/kong"
)

// What kong itself says of a value is put as the commands put it.
func TestExplain(t *testing.T) {
	for arg, want := range map[string]string{
		"--before=-1":      "--before is -1; it must be a whole number from 0 up",
		"--limit=1.5":      "--limit is 1.5; it must be a whole number",
		"--rate=fast":      "--rate is fast; it must be a number such as 1.5",
		"--max-wait=5":     "--max-wait is 5; it must be a duration such as 30s",
		"--json=maybe":     "--json is maybe; it must be true or false",
		"--limit":          "--limit: the value is missing",
		"--max-wait":       "--max-wait: the value is missing",
		"--nope":           "unknown flag --nope",
		`--rate=a"b but x`: `--rate is a\"b but x; it must be a number such as 1.5`,
	} {
		var flags struct {
			Before  uint64
			Limit   int
			Rate    float64
			MaxWait time.Duration
			JSON    bool `name:"json"`
		}
		parser, err := kong.New(&flags)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = parser.Parse([]string{arg}); err == nil || Explain(err).Error() != want {
			t.Errorf("%s: %q, want %q", arg, Explain(err), want)
		}
	}
}
