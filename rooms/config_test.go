package rooms_test

import (
	"reflect"
	"testing"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
)

// TestZeroIsNoLimit: in each field that limits how much, zero is no limit and
// stays zero, and a negative one is refused; in each other number zero takes the
// default.
func TestZeroIsNoLimit(t *testing.T) {
	limits := map[string]bool{"RingBytes": true, "CopyBytes": true, "PublishBytes": true, "WaitingBytes": true, "PresenceGrace": true, "MaxTables": true, "TableHistory": true}
	chosen := map[string]bool{"Replicas": true} // 0: as many as the servers allow
	if err := (rooms.Config{}).Validate(); err != nil {
		t.Errorf("the zero Config: %v", err)
	}
	filled := reflect.ValueOf(rooms.Config{}.WithDefaults())
	for i := range filled.NumField() {
		field := filled.Type().Field(i)
		if !field.IsExported() || !filled.Field(i).CanInt() || chosen[field.Name] {
			continue
		}
		if zero := filled.Field(i).IsZero(); zero != limits[field.Name] {
			t.Errorf("%s is %v where nothing is said", field.Name, filled.Field(i))
		}
		cfg := rooms.DefaultConfig()
		cfg.Node = "n"
		reflect.ValueOf(&cfg).Elem().Field(i).SetInt(-1)
		if err := cfg.Validate(); err == nil {
			t.Errorf("%s -1 is taken", field.Name)
		}
		reflect.ValueOf(&cfg).Elem().Field(i).SetInt(0)
		if err := cfg.Validate(); err != nil {
			t.Errorf("%s 0: %v", field.Name, err)
		}
		delete(limits, field.Name)
	}
	if len(limits) > 0 {
		t.Errorf("there are no fields %v", limits)
	}
}

// TestNoLimits: an engine without any works.
func TestNoLimits(t *testing.T) {
	eng, _ := start(t, func(c *rooms.Config) {
		c.RingBytes, c.CopyBytes, c.PublishBytes, c.WaitingBytes = 0, 0, 0, 0
	})
	m := join(t, eng, "x", "m", rooms.Since{})
	m.awaitSeq(t, publish(t, eng, "x", 0, 100)[99])
}

// TestHosted: where a table may be.
func TestHosted(t *testing.T) {
	for name, ok := range map[string]bool{"rps-*": true, "one": true, "*": true, "": false, "a*b": false, "**": false, "@*": false, "@ann": false, "e\u0301": false} {
		if err := (rooms.Config{Tables: []rooms.Hosting{rooms.Host(name, rps{})}}).Validate(); (err == nil) != ok {
			t.Errorf("%q: %v", name, err)
		}
	}
	if err := (rooms.Config{Tables: []rooms.Hosting{{Rooms: "x"}}}).Validate(); err == nil {
		t.Error("a table without a game is taken")
	}
}
