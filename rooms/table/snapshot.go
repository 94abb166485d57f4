package table

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// snapshot is a Log written down.
type snapshot struct {
	Rules int        `json:"rules"` // version of those that wrote the state
	Seq   uint64     `json:"seq"`   // of the last step that is in it
	Now   int64      `json:"now"`
	Taken uint64     `json:"taken,omitempty"`
	At    int64      `json:"taken_at,omitempty"`
	Done  []doneStep `json:"done,omitempty"`
	There []string   `json:"there,omitempty"` // the uids of those of whom the rules were told
	State []byte     `json:"state"`
	Sum   string     `json:"sum"` // SHA-256 of State, in hex
}

// Snapshot writes down the table as it is after the step Last.
func (l *Log) Snapshot() ([]byte, error) {
	state, err := l.settled().encode()
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(state)
	data, err := json.Marshal(snapshot{
		Rules: l.game.Version(), Seq: l.last, Now: l.now, Taken: l.taken, At: l.at, Done: l.done.steps, There: slices.Sorted(maps.Keys(l.there)), State: state, Sum: hex.EncodeToString(sum[:]),
	})
	if err != nil {
		return nil, fmt.Errorf("table: encode a snapshot: %w", err)
	}
	return data, nil
}

// Restore makes a new Log what it was when the snapshot was written.
func (l *Log) Restore(data []byte) error {
	var s snapshot
	if err := json.Unmarshal(data, &s); err != nil {
		return fmt.Errorf("table: decode a snapshot: %w", err)
	}
	if sum := sha256.Sum256(s.State); hex.EncodeToString(sum[:]) != s.Sum {
		return fmt.Errorf("table: the snapshot at step %d is damaged: its state has not the sum that it says", s.Seq)
	}
	if s.Rules > l.game.Version() {
		return fmt.Errorf("table: the snapshot at step %d is of version %d: %w", s.Seq, s.Rules, ErrNewer)
	}
	if err := l.table.restore(s.Rules, s.State); err != nil {
		return fmt.Errorf("table: the snapshot at step %d: %w", s.Seq, err)
	}
	l.last, l.now, l.taken, l.at = s.Seq, s.Now, s.Taken, s.At
	for _, step := range s.Done {
		l.done.add(step)
	}
	for _, uid := range s.There {
		l.there[uid] = struct{}{}
	}
	return nil
}
