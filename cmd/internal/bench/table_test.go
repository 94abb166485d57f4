package bench

import (
	"errors"
	"strings"
	"testing"
)

func TestTable(t *testing.T) {
	servers := []*program{{name: "roomd"}, {name: "hub"}, {name: "melody"}, {name: "socketio", absent: "no node"}}
	result := func(server string, round int, cpu *float64, perS float64, missing uint64) *Result {
		return &Result{Server: server, Round: round, CPUPerDelivery: cpu, DeliveriesPerS: perS, Missing: missing}
	}
	tc := &testCase{name: "fanout", figures: []figure{cpuPerDelivery.aims("0.15× hub"), deliveriesPerS, p99}}
	rows := rowsOf(tc, servers, []*Result{
		result("roomd", 1, measured(0.2), 3_000_000, 0), result("hub", 1, measured(2), 500_000, 0), result("melody", 1, nil, 0, 0),
		result("roomd", 2, measured(0.3), 1_000_000, 0), result("hub", 2, measured(2.5), 250_000, 4), result("melody", 2, nil, 0, 0),
		result("roomd", 3, measured(0.4), 2_000_000, 0), result("hub", 3, measured(8), 400_000, 3), result("melody", 3, nil, 0, 0),
	})
	var out strings.Builder
	if err := writeTable(&out, servers, rows); err != nil {
		t.Fatal(err)
	}
	// The ratio is the median of 0.1, 0.12 and 0.05: rounds are compared with themselves.
	const want = `| case | figure | roomd | hub | melody | socketio | to reach |
|---|---|---:|---:|---:|---:|---|
| fanout | CPU µs per delivery | 0.300 | 2.500 (0.10×), lost 7 | – | not measured: no node | 0.15× hub |
|  | deliveries per second | 2,000,000 | 400,000 (5.00×), lost 7 | 0 | not measured: no node |  |
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
	if err := writeTable(broken{}, servers, rows); !errors.Is(err, errBroken) {
		t.Errorf("a table that was not written: %v", err)
	}
}

var errBroken = errors.New("broken")

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errBroken }

func TestMedian(t *testing.T) {
	for _, tc := range []struct {
		in   []float64
		want float64
	}{{[]float64{3}, 3}, {[]float64{3, 1}, 2}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 1, 2, 100}, 3}} {
		values := make(map[int]float64)
		for i, v := range tc.in {
			values[i] = v
		}
		if got := median(values); got == nil || *got != tc.want {
			t.Errorf("%v: %v, want %v", tc.in, got, tc.want)
		}
	}
	if median(nil) != nil {
		t.Error("nothing has a median")
	}
}

func TestGrouped(t *testing.T) {
	for in, want := range map[string]string{"1": "1", "123": "123", "1234": "1,234", "123456.70": "123,456.70", "1234567": "1,234,567", "-1.5": "-1.5"} {
		if got := grouped(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

func TestResultLine(t *testing.T) {
	l := load{Mode: Fanout}
	l.defaults()
	r := Result{Server: "hub", load: &l, Messages: 100, MessagesPerS: 20, DeliveriesPerS: 20_000, CPUPerDelivery: measured(1.5),
		P50: measured(1), P99: measured(2), Max: measured(3), ConnectionsPerS: 500, Missing: 7, Closed: 2}
	const want = "fanout hub: 1000 members, 1 publisher ahead by 64, 128 bytes; 20 messages/s, 20000 deliveries/s; CPU 1.500 µs per delivery; " +
		"p50 1.000 ms, p99 2.000 ms, max 3.000 ms; 500 connections/s; missing 7, 2 connections closed"
	if got := r.line(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	r.Refused, r.FirstRefusal = 3, `{"code":"busy"}`
	if got, want := r.line(), want+`; of the refused, the first: {"code":"busy"}`; got != strings.Replace(want, ", 2 conn", ", 3 refused, 2 conn", 1) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestFault(t *testing.T) {
	l := load{Mode: Rooms}
	good := Result{load: &l, Messages: 10, Deliveries: 100, Refused: 1, Late: 3}
	if err := good.fault(); err != nil {
		t.Errorf("a good run: %v", err)
	}
	for name, bad := range map[string]Result{
		"1 deliveries are missing": {load: &l, Missing: 1}, "2 came twice": {load: &l, Misordered: 2}, "3 messages have no answer": {load: &l, Unacked: 3},
		"4 connections were closed (one with 4001)": {load: &l, Closed: 4, CloseCode: 4001}, "answered {}": {load: &l, Missing: 5, FirstRefusal: "{}"},
	} {
		if err := bad.fault(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestProgress(t *testing.T) {
	var out strings.Builder
	p := newProgress(&out)
	p.begin("one")
	p.show("not shown: too soon")
	p.end()
	p.begin("two")
	if got := out.String(); got != "one: starting\ntwo: starting\n" || p.err != nil {
		t.Errorf("got %q, %v", got, p.err)
	}
	out.Reset()
	p.terminal = true
	p.begin("three")
	p.end()
	if got := out.String(); got != "\r\x1b[Kthree: starting\r\x1b[K" {
		t.Errorf("on a terminal: %q", got)
	}
	p = newProgress(broken{})
	p.begin("four")
	if !errors.Is(p.err, errBroken) {
		t.Errorf("progress that could not be shown: %v", p.err)
	}
}
