package bench

import "testing"

func TestHear(t *testing.T) {
	var h heard
	for _, step := range []struct{ number, moved, got uint32 }{
		{0, 1, 1}, {1, 1, 2}, {1, 0, 2}, {0, 0, 2}, {4, 3, 3}, {3, 0, 3}, {5, 1, 4},
	} {
		if moved := h.hear(step.number); moved != step.moved || h.got != step.got {
			t.Errorf("message %d: moved by %d, got %d; want %+v", step.number, moved, h.got, step)
		}
	}
}

// told has members move a publisher on, from where each stands.
func told(p *publisher, from, to uint32, members int) {
	for range members {
		p.heard(to, to-from)
	}
}

func TestAhead(t *testing.T) {
	p := &publisher{ahead: 64, behind: 150, members: 3, echo: true}
	send := func() (n int) {
		for p.mayGoOn() {
			p.sent++
			n++
		}
		return n
	}
	if n := send(); n != 64 {
		t.Fatalf("%d messages at first, want 64", n)
	}
	p.returned = 10
	if n := send(); n != 10 {
		t.Errorf("%d messages after 10 came back, want 10", n)
	}
	told(p, 0, 10, 2)
	if p.complete != 0 {
		t.Errorf("%d are complete though the third member has none", p.complete)
	}
	for range 5 {
		p.returned = p.sent
		send()
	}
	if p.sent != p.behind || !p.heldUp {
		t.Errorf("%d sent while a member has none, want %d", p.sent, p.behind)
	}
	told(p, 0, 10, 1)
	if p.complete != 10 || !p.mayGoOn() {
		t.Errorf("%d are complete after all got 10", p.complete)
	}
	p.alone = true
	p.returned = p.sent
	if n := send(); n != 64 {
		t.Errorf("%d messages when the slowest does not count, want 64", n)
	}
}

// Who does not hear itself goes on when all others have heard it.
func TestAheadWithoutEcho(t *testing.T) {
	p := &publisher{ahead: 64, behind: 150, members: 2, sent: 64}
	if told(p, 0, 64, 1); p.mayGoOn() {
		t.Error("one more was sent though one member has none of 64")
	}
	if told(p, 0, 10, 1); !p.mayGoOn() || p.returned != 10 {
		t.Errorf("%d have returned after all got 10", p.returned)
	}
}

// The ring of reached goes round many times, and gaps count as gone through.
func TestCompleteGoesRound(t *testing.T) {
	p := &publisher{ahead: 64, behind: 150, members: 2}
	for p.complete < 10_000 {
		at := p.complete
		for p.sent < at+150 {
			p.sent++
		}
		told(p, at, at+150, 1)
		p.heard(at+100, 100)
		p.heard(at+150, 50)
		if p.complete != at+150 {
			t.Fatalf("%d are complete, want %d", p.complete, at+150)
		}
	}
}
