package bench

import "time"

// figure is one row of a table: what is taken from the results of a case.
type figure struct {
	name   string
	of     func(*Result) *float64
	digits int
	target string // what is to be reached; "": no target
}

// testCase is a load, and what is looked at.
type testCase struct {
	name    string
	load    load
	alone   bool // the other servers cannot do it
	figures []figure
}

var (
	cpuPerDelivery   = figure{name: "CPU µs per delivery", digits: 3, of: func(r *Result) *float64 { return r.CPUPerDelivery }}
	deliveriesPerS   = figure{name: "deliveries per second", digits: 0, of: func(r *Result) *float64 { return &r.DeliveriesPerS }}
	bytesPerDelivery = figure{name: "bytes per delivery", digits: 0, of: func(r *Result) *float64 { return r.BytesPerDelivery }}
	p50              = figure{name: "p50 ms", digits: 3, of: func(r *Result) *float64 { return r.P50 }}
	p99              = figure{name: "p99 ms", digits: 3, of: func(r *Result) *float64 { return r.P99 }}
	messagesPerS     = figure{name: "decisions, or messages, per second", digits: 0, of: func(r *Result) *float64 { return &r.MessagesPerS }}
	cpuPerMessage    = figure{name: "CPU µs per decision, or message", digits: 1, of: func(r *Result) *float64 { return r.CPUPerMessage }}
	ackP50           = figure{name: "ack p50 ms", digits: 3, of: func(r *Result) *float64 { return r.AckP50 }}
	ackP99           = figure{name: "ack p99 ms", digits: 3, of: func(r *Result) *float64 { return r.AckP99 }}
	kbPerConnection  = figure{name: "resident KB per connection", digits: 1, of: func(r *Result) *float64 { return r.KBPerConnection }}
	idleCPU          = figure{name: "CPU %", digits: 2, of: func(r *Result) *float64 { return r.IdleCPUPercent }}
	cpuPerJoin       = figure{name: "CPU µs per join with its connection", digits: 1, of: func(r *Result) *float64 { return r.CPUPerJoin }}
	cpuPerRejoin     = figure{name: "CPU µs per join on an open connection", digits: 1, of: func(r *Result) *float64 { return r.CPUPerRejoin }}
	presenceBytes    = figure{name: "presence bytes per client", digits: 0, of: func(r *Result) *float64 { return r.PresenceBytesPerClient }}
	cpuWithoutOpen   = figure{name: "CPU µs per delivery without them", digits: 3, of: func(r *Result) *float64 { return r.CPUWithoutOpen }}
	kbPerRoom        = figure{name: "resident KB per open room", digits: 2, of: func(r *Result) *float64 { return r.KBPerRoom }}
)

// aims returns the figure with a target.
func (f figure) aims(target string) figure {
	f.target = target
	return f
}

// figuresOf returns the figures of a single mode.
func figuresOf(mode string) []figure {
	switch mode {
	case Idle:
		return []figure{kbPerConnection, idleCPU}
	case Join:
		return []figure{cpuPerJoin, cpuPerRejoin, presenceBytes}
	case Table:
		return []figure{messagesPerS, cpuPerMessage, ackP50, ackP99}
	case Latency:
		return []figure{p50, p99, cpuPerDelivery}
	default:
		return []figure{cpuPerDelivery, deliveriesPerS, bytesPerDelivery, p50, p99, kbPerRoom, cpuWithoutOpen}
	}
}

// standardCases are those of the mode standard.
func standardCases() []testCase {
	const second = time.Second
	storm := []figure{cpuPerJoin.aims("0.87× of before"), cpuPerRejoin, presenceBytes}
	shaped := func(shape string) testCase {
		return testCase{name: "100 rooms × 10, 100 publishers, " + shape, load: load{Mode: Rooms, Shape: shape}, figures: []figure{cpuPerDelivery.aims("plain +5%")}}
	}
	return []testCase{
		{name: "fanout, 1000 members, ahead by 64", load: load{Mode: Fanout},
			figures: []figure{cpuPerDelivery.aims("0.10× echo"), deliveriesPerS}},
		{name: "fanout, 1000 members, 50 messages/s", load: load{Mode: Fanout, Rate: 50, Duration: 8 * second},
			figures: []figure{cpuPerDelivery.aims("1.0× hub")}},
		{name: "100 rooms × 10, 100 publishers", load: load{Mode: Rooms},
			figures: []figure{cpuPerDelivery.aims("0.65× echo"), deliveriesPerS}},
		shaped(Braces), shaped(Nested), shaped(CJK),
		{name: "2,000 rooms × 5, 2,000 publishers", load: load{Mode: Rooms, Rooms: 2000, Members: 5, Publishers: 2000},
			figures: []figure{cpuPerDelivery.aims("1.0× hub"), deliveriesPerS}},
		{name: "idle, 10,000 connections", load: load{Mode: Idle},
			figures: []figure{kbPerConnection.aims("7 KB"), idleCPU.aims("1%")}},
		{name: "latency, 10 members, 100 messages/s", load: load{Mode: Latency},
			figures: []figure{p50.aims("as before +10%"), p99.aims("as before +10%")}},
		{name: "join storm, 500 in one room", load: load{Mode: Join, Members: 500}, figures: storm},
		{name: "join storm, 5,000 in one room", load: load{Mode: Join, Members: 5000}, figures: storm},
		{name: "100,000 rooms open, 100 rooms × 10", load: load{Mode: Rooms, Open: 100_000}, alone: true,
			figures: []figure{kbPerRoom.aims("4 KB"), cpuPerDelivery.aims("as without them"), cpuWithoutOpen}},
	}
}
