package node

import "testing"

func TestSize(t *testing.T) {
	for text, want := range map[string]Size{
		"0": 0, "1": 1, "16384": 16384, "64KB": 64_000, "16KiB": 16384, "16 kib": 16384, "1MiB": 1 << 20, "1.5MiB": 3 << 19,
		"1g": 1e9, "2GiB": 2 << 30, "7B": 7, "1TiB": 1 << 40,
	} {
		var got Size
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%q is %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "KiB", "-1", "1.5", "1e3", "1 2", "0x10", "16x", "NaN", "Inf", "99999999999999999999", "9000000TiB", "1.0001B", "１"} {
		var got Size
		if err := got.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is taken for %d", text, got)
		}
	}
}

func FuzzSize(f *testing.F) {
	for _, seed := range []string{"16KiB", "1.5m", "0", " 1 GB"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var size, again Size
		if size.UnmarshalText([]byte(text)) != nil {
			return
		}
		if size < 0 {
			t.Fatalf("%q is negative: %d", text, size)
		}
		if size > 1<<53 {
			return // floats have holes there
		}
		if err := again.UnmarshalText([]byte(size.String())); err != nil || again != size {
			t.Fatalf("%q is %d, written %q, read back %d, %v", text, size, size.String(), again, err)
		}
	})
}
