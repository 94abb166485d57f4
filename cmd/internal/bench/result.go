package bench

import (
	"fmt"
	"strings"
	"time"
)

// Result is what one run has measured. What was not measured is nil, or 0
// where 0 says nothing else.
type Result struct {
	Server string `json:"server"`
	Round  int    `json:"round"`
	Nodes  int    `json:"nodes,omitempty"` // 0: one, with what is embedded in it
	NATS   int    `json:"nats,omitempty"`  // servers besides them
	*load

	Seconds        float64 `json:"seconds,omitempty"` // over which the rates are taken
	Messages       uint64  `json:"messages"`          // of the whole run, as the following
	Deliveries     uint64  `json:"deliveries"`
	Missing        uint64  `json:"missing"`
	Misordered     uint64  `json:"misordered"` // duplicates or out of order
	Unacked        uint64  `json:"unacked"`
	Refused        uint64  `json:"refused"` // errors that the server answered
	FirstRefusal   string  `json:"first_refusal,omitempty"`
	Closed         uint64  `json:"closed"` // connections that the server ended
	CloseCode      int     `json:"close_code,omitempty"`
	Late           uint64  `json:"late"` // messages at a rate that could not be sent in time
	MessagesPerS   float64 `json:"messages_per_s,omitempty"`
	DeliveriesPerS float64 `json:"deliveries_per_s,omitempty"`

	CPUPerDelivery     *float64 `json:"cpu_us_per_delivery,omitempty"` // of the server
	LoadCPUPerDelivery *float64 `json:"load_cpu_us_per_delivery,omitempty"`
	DeliveriesPerRead  *float64 `json:"deliveries_per_read,omitempty"` // how much the server batches
	BytesPerDelivery   *float64 `json:"bytes_per_delivery,omitempty"`  // of WebSocket frames, acks and all
	P50                *float64 `json:"p50_ms,omitempty"`
	P99                *float64 `json:"p99_ms,omitempty"`
	Max                *float64 `json:"max_ms,omitempty"`

	CPUPerMessage *float64 `json:"cpu_us_per_message,omitempty"` // of the server, all its deliveries included
	AckP50        *float64 `json:"ack_p50_ms,omitempty"`         // until the sender knows that it is stored
	AckP99        *float64 `json:"ack_p99_ms,omitempty"`

	Connections     int      `json:"connections"`
	ConnectionsPerS float64  `json:"connections_per_s"`
	KBPerConnection *float64 `json:"kb_per_connection,omitempty"`
	IdleCPUPercent  *float64 `json:"idle_cpu_percent,omitempty"`

	CPUPerJoin              *float64 `json:"cpu_us_per_join,omitempty"`   // with its connection
	CPUPerRejoin            *float64 `json:"cpu_us_per_rejoin,omitempty"` // on an open connection
	PresenceBytesPerClient  *float64 `json:"presence_bytes_per_client,omitempty"`
	PresenceFramesPerClient *float64 `json:"presence_frames_per_client,omitempty"`

	CPUPerResume  *float64 `json:"cpu_us_per_resume,omitempty"` // with the end of the connection before
	ResumeSeconds *float64 `json:"resume_s,omitempty"`          // from the first to the last
	PeakMB        *float64 `json:"peak_mb,omitempty"`           // that the server held at most meanwhile
	Unrecovered   uint64   `json:"unrecovered,omitempty"`       // rooms and inboxes that came back without their position

	KBPerRoom      *float64 `json:"kb_per_room,omitempty"`
	CPUWithoutOpen *float64 `json:"cpu_us_per_delivery_without_open,omitempty"` // CPUPerDelivery just before, without the rooms of Open
}

func measured(v float64) *float64 { return &v }

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// rates fills in the rates between two samples.
func (r *Result) rates(from, to sample, known bool) {
	r.Seconds = (to.at - from.at).Seconds()
	deliveries := float64(to.delivered - from.delivered)
	r.MessagesPerS = float64(to.sent-from.sent) / r.Seconds
	r.DeliveriesPerS = deliveries / r.Seconds
	if sent := float64(to.sent - from.sent); known && sent > 0 {
		r.CPUPerMessage = measured(micros(to.server-from.server) / sent)
	}
	if deliveries == 0 {
		return
	}
	r.LoadCPUPerDelivery = measured(micros(to.own-from.own) / deliveries)
	r.DeliveriesPerRead = measured(deliveries / float64(to.reads-from.reads)) // none comes without a read
	r.BytesPerDelivery = measured(float64(to.bytes-from.bytes) / deliveries)
	if known {
		r.CPUPerDelivery = measured(micros(to.server-from.server) / deliveries)
	}
}

func (r *Result) latency(h, acks *histogram) {
	if acks.total > 0 {
		r.AckP50, r.AckP99 = measured(millis(acks.quantile(0.5))), measured(millis(acks.quantile(0.99)))
	}
	if h.total == 0 {
		return
	}
	r.P50, r.P99, r.Max = measured(millis(h.quantile(0.5))), measured(millis(h.quantile(0.99))), measured(millis(h.max))
}

func (r *Result) presence(from, to sample, clients float64) {
	r.PresenceBytesPerClient = measured(float64(to.presenceBytes-from.presenceBytes) / clients)
	r.PresenceFramesPerClient = measured(float64(to.presenceFrames-from.presenceFrames) / clients)
}

// fault says what the server did not do; nil when it did everything.
func (r *Result) fault() error {
	if r.Missing+r.Misordered+r.Unacked+r.Closed+r.Unrecovered == 0 {
		return nil
	}
	text := fmt.Sprintf("%s in the mode %s: %d deliveries are missing, %d came twice or out of order, %d messages have no answer, %d connections were closed",
		r.Server, r.Mode, r.Missing, r.Misordered, r.Unacked, r.Closed)
	if r.Unrecovered > 0 {
		text += fmt.Sprintf(", %d rooms were not recovered", r.Unrecovered)
	}
	if r.Closed > 0 {
		text += fmt.Sprintf(" (one with %d)", r.CloseCode)
	}
	if r.FirstRefusal != "" {
		text += "; the server answered " + r.FirstRefusal
	}
	return fmt.Errorf("%s", text)
}

// line is the result for people.
func (r *Result) line() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s: %s", r.Mode, r.Server, r.load)
	if r.NATS > 0 {
		fmt.Fprintf(&b, "; %s on %s", plural(r.Nodes, "node"), plural(r.NATS, "NATS server"))
	}
	add := func(format string, v *float64) {
		if v != nil {
			fmt.Fprintf(&b, format, *v)
		}
	}
	if r.MessagesPerS > 0 {
		fmt.Fprintf(&b, "; %.0f messages/s, %.0f deliveries/s", r.MessagesPerS, r.DeliveriesPerS)
	}
	add("; CPU %.3f µs per delivery", r.CPUPerDelivery)
	add(" (of the load %.3f)", r.LoadCPUPerDelivery)
	add("; %.1f deliveries per read", r.DeliveriesPerRead)
	add("; %.0f bytes per delivery", r.BytesPerDelivery)
	add("; p50 %.3f ms", r.P50)
	add(", p99 %.3f ms", r.P99)
	add(", max %.3f ms", r.Max)
	if r.Mode == Table {
		add("; CPU %.1f µs per message", r.CPUPerMessage)
		add("; ack p50 %.3f ms", r.AckP50)
		add(", p99 %.3f ms", r.AckP99)
	}
	add("; %.1f KB per connection", r.KBPerConnection)
	add("; idle CPU %.2f%%", r.IdleCPUPercent)
	add("; CPU %.1f µs per join with its connection", r.CPUPerJoin)
	add(", %.1f µs without", r.CPUPerRejoin)
	add("; presence %.0f bytes per client", r.PresenceBytesPerClient)
	add(" in %.1f frames", r.PresenceFramesPerClient)
	add("; CPU %.1f µs per resume", r.CPUPerResume)
	add("; all resumed in %.2f s", r.ResumeSeconds)
	add("; server memory at most %.1f MB", r.PeakMB)
	add("; %.2f KB per open room", r.KBPerRoom)
	add(", CPU %.3f µs per delivery without them", r.CPUWithoutOpen)
	fmt.Fprintf(&b, "; %.0f connections/s; missing %d", r.ConnectionsPerS, r.Missing)
	for _, c := range []struct {
		n    uint64
		text string
	}{{r.Misordered, "out of order"}, {r.Unacked, "unanswered"}, {r.Refused, "refused"}, {r.Unrecovered, "not recovered"}, {r.Closed, "connections closed"}, {r.Late, "not sent in time"}} {
		if c.n > 0 {
			fmt.Fprintf(&b, ", %d %s", c.n, c.text)
		}
	}
	if r.Refused > 0 && r.FirstRefusal != "" {
		b.WriteString("; of the refused, the first: " + r.FirstRefusal)
	}
	return b.String()
}

// String says what a load is, without its mode.
func (l *load) String() string {
	var b strings.Builder
	if l.Rooms > 1 {
		fmt.Fprintf(&b, "%d rooms × ", l.Rooms)
	}
	fmt.Fprintf(&b, "%d members", l.Members)
	switch {
	case l.Spread > 0:
		fmt.Fprintf(&b, ", who resume within %v", l.Spread)
	case l.Resume:
		b.WriteString(", who resume at once")
	}
	if l.Publishers > 0 && l.Mode != Join {
		fmt.Fprintf(&b, ", %s", plural(l.Publishers, "publisher"))
		if l.Rate > 0 {
			fmt.Fprintf(&b, " at %g/s", l.Rate)
		} else {
			fmt.Fprintf(&b, " ahead by %d", l.Ahead)
		}
		fmt.Fprintf(&b, ", %d bytes", l.Size)
		if l.Shape != Plain && !sized(l.Shape) {
			fmt.Fprintf(&b, " of %s", l.Shape)
		}
		if l.NoIDs {
			b.WriteString(" without ids")
		}
		if l.Sender != "" {
			fmt.Fprintf(&b, ", senders on the %s node", l.Sender)
		}
		if l.Play == Bets {
			b.WriteString(", at tables bets")
		}
	}
	if l.Compress {
		b.WriteString(", compressed")
	}
	if l.Unlogged {
		b.WriteString(", unlogged")
	}
	if l.Open > 0 {
		fmt.Fprintf(&b, ", %d more rooms open", l.Open)
	}
	return b.String()
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
