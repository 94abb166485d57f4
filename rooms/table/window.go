package table

import "time"

// Bounds of what a table remembers of its commands.
const (
	// Memory is how long a command that comes again under its id gets its first
	// answer. Who repeats stops after 2 minutes; the rest is for MaxWait and for
	// clocks of nodes that differ.
	Memory = 3 * time.Minute
	// MaxWait is how long a command may wait at the node that decides; after that
	// it is not decided.
	MaxWait = 5 * time.Second
	// MaxKeys is how many commands a table remembers; while there are more in
	// Memory, new ones that have an id are refused as busy. Guests are refused from
	// half of it on, and of MaxRefused, so that they cannot keep others from being
	// heard.
	MaxKeys = 1 << 17
	// MaxRefused is how many bytes the refusals that a table remembers may have
	// together; while there are more in Memory, new commands that have an id are
	// refused as busy.
	MaxRefused = 4 << 20
	// StepBytes is after how many bytes of events and refusals a step is complete:
	// what waits goes into the next. What comes of one command is never split.
	StepBytes = 128 << 10

	doneBytes = 28 // of a Done in a step, without its reason
)

// window remembers what became of the commands of the last Memory.
type window struct {
	steps []doneStep // oldest first
	keys  map[Key]outcome

	refused int // bytes of the reasons in keys
}

// doneStep is what a step did with commands that may come again.
type doneStep struct {
	Seq  uint64 `json:"seq"`
	Now  int64  `json:"now"`
	Done []Done `json:"done"`
}

type outcome struct {
	seq     uint64
	refused string
}

// full reports whether no further command that has an id may be decided, when more
// are in the step that is being made.
func (w *window) full(more int, guest bool) bool {
	keys, refused := MaxKeys, MaxRefused
	if guest {
		keys, refused = keys/2, refused/2
	}
	return len(w.keys)+more >= keys || w.refused >= refused
}

func (w *window) add(s doneStep) {
	if len(s.Done) == 0 {
		return
	}
	if w.keys == nil {
		w.keys = make(map[Key]outcome)
	}
	w.steps = append(w.steps, s)
	for _, d := range s.Done {
		w.keys[d.Key] = outcome{s.Seq, d.Refused}
		w.refused += len(d.Refused)
	}
}

// forget drops what is older than Memory at now.
func (w *window) forget(now int64) {
	n := 0
	for ; n < len(w.steps) && w.steps[n].Now < now-Memory.Milliseconds(); n++ {
		for _, d := range w.steps[n].Done {
			delete(w.keys, d.Key)
			w.refused -= len(d.Refused)
		}
	}
	clear(w.steps[:n])
	w.steps = w.steps[n:]
}
