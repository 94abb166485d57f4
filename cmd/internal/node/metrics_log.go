package node

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
)

var (
	ackDesc      = prometheus.NewDesc("roomd_publish_ack_seconds", "Time from publishing an event to the log's ack, of one in 16.", nil, nil)
	deliveryDesc = prometheus.NewDesc("roomd_publish_delivery_seconds",
		"Time from publishing an event to handing it to the room's members on the same node, of one in 16; their sockets are written to next.", nil, nil)

	logLabel        = []string{"log"}
	logMessagesDesc = prometheus.NewDesc("roomd_log_messages", "Events in a log, as of the last 3 s.", logLabel, nil)
	logBytesDesc    = prometheus.NewDesc("roomd_log_bytes", "Size of a log.", logLabel, nil)
	logFirstDesc    = prometheus.NewDesc("roomd_log_first_seq", "Sequence of a log's oldest event.", logLabel, nil)
	logLastDesc     = prometheus.NewDesc("roomd_log_last_seq", "Sequence of a log's newest event.", logLabel, nil)
	replicaLagDesc  = prometheus.NewDesc("roomd_log_replica_lag", "Operations that the replica of a log which is furthest behind its leader has not done.", logLabel, nil)
	behindDesc      = prometheus.NewDesc("roomd_log_rooms_behind", "Open rooms, or inboxes, of which this node knows that the log has more than they have delivered.", logLabel, nil)

	logDescs = []*prometheus.Desc{ackDesc, deliveryDesc, logMessagesDesc, logBytesDesc, logFirstDesc, logLastDesc, replicaLagDesc, behindDesc}
)

// logCollector collects the state of the logs, and the latency of events. It is
// immutable.
type logCollector struct{ engine *rooms.Engine }

// Describe implements prometheus.Collector.
func (c logCollector) Describe(out chan<- *prometheus.Desc) {
	for _, desc := range logDescs {
		out <- desc
	}
}

// Collect implements prometheus.Collector.
func (c logCollector) Collect(out chan<- prometheus.Metric) {
	out <- histogram(ackDesc, c.engine.AckTimes())
	out <- histogram(deliveryDesc, c.engine.DeliveryTimes())
	for _, log := range c.engine.Logs() {
		for _, gauge := range []struct {
			desc  *prometheus.Desc
			value float64
		}{
			{logMessagesDesc, float64(log.Messages)}, {logBytesDesc, float64(log.Bytes)},
			{logFirstDesc, float64(log.First)}, {logLastDesc, float64(log.Last)},
			{replicaLagDesc, float64(log.ReplicaLag)}, {behindDesc, float64(log.RoomsBehind)},
		} {
			out <- prometheus.MustNewConstMetric(gauge.desc, prometheus.GaugeValue, gauge.value, log.Name)
		}
	}
}

func histogram(desc *prometheus.Desc, of *rooms.Histogram) prometheus.Metric {
	upTo, count, sum := of.Read()
	buckets := make(map[float64]uint64, len(upTo))
	for i, n := range upTo {
		buckets[rooms.LatencyBounds[i].Seconds()] = n
	}
	return prometheus.MustNewConstHistogram(desc, count, sum.Seconds(), buckets)
}
