package baccarat_test

import (
	"crypto/sha256"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/baccarat"
)

// vectors are what seeds give, by a program in another language that was made from
// the README's text.
func vectors(t *testing.T) (list []struct{ Why, Seed, Commit, Shoe string }) {
	t.Helper()
	data, err := os.ReadFile("testdata/shuffle.json")
	if err == nil {
		err = json.Unmarshal(data, &list)
	}
	if err != nil || len(list) < 4 {
		t.Fatalf("%d vectors, %v", len(list), err)
	}
	return list
}

func written(cards []baccarat.Card) string {
	var b strings.Builder
	for _, c := range cards {
		b.WriteString(c.String())
	}
	return b.String()
}

// TestShuffle: the order of a shoe is that of the vectors, and has each card eight
// times.
func TestShuffle(t *testing.T) {
	for _, v := range vectors(t) {
		seed, err := baccarat.ParseSeed(v.Seed)
		if err != nil {
			t.Fatal(err)
		}
		shoe := baccarat.Shuffle(seed)
		if text := written(shoe[:]); seed.Commit() != v.Commit || text != strings.ReplaceAll(v.Shoe, " ", "") {
			t.Errorf("%s: commit %s, shoe %s", v.Why, seed.Commit(), text)
		}
		copies := map[baccarat.Card]int{}
		for _, c := range shoe {
			copies[c]++
		}
		for c, n := range copies {
			if n != baccarat.Decks {
				t.Errorf("%d copies of %s", n, c)
			}
		}
	}
	for _, text := range []string{"", "00", strings.Repeat("0", 63), strings.Repeat("0", 66), strings.Repeat("x", 64)} {
		if _, err := baccarat.ParseSeed(text); err == nil {
			t.Errorf("%q is taken for a seed", text)
		}
	}
}

// TestShuffleIsEven: over many shoes each card comes first as often as any other
// does. The bound is that of chi squared with 51 degrees of freedom which chance
// passes once in a million; the seeds are fixed.
func TestShuffleIsEven(t *testing.T) {
	const shoes = 52 * 200
	var first [52]int
	for n := range shoes {
		first[baccarat.Shuffle(sha256.Sum256([]byte{byte(n), byte(n >> 8)}))[0]]++
	}
	chi := 0.0
	for _, n := range first {
		chi += float64(n-shoes/52) * float64(n-shoes/52) / (shoes / 52)
	}
	if chi > 113 {
		t.Errorf("chi squared is %.1f: %v", chi, first)
	}
}
