package node

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
)

var (
	readyDesc   = prometheus.NewDesc("roomd_ready", "1 while /readyz says ready, else 0.", nil, nil)
	unreadyDesc = prometheus.NewDesc("roomd_unready", "1 for the reason for which /readyz does not say ready, 0 for the others.", []string{"reason"}, nil)
	healsDesc   = prometheus.NewDesc("roomd_store_restarts_total", "Times that JetStream of the embedded NATS was started again because its store had failed.", nil, nil)
)

// readyCollector collects the readiness of a node. It is immutable.
type readyCollector struct{ n *Node }

// Describe implements prometheus.Collector.
func (c readyCollector) Describe(out chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{readyDesc, unreadyDesc, healsDesc} {
		out <- desc
	}
}

// Collect implements prometheus.Collector.
func (c readyCollector) Collect(out chan<- prometheus.Metric) {
	is := func(v bool) float64 {
		if v {
			return 1
		}
		return 0
	}
	reason := c.n.unreadyReason()
	out <- prometheus.MustNewConstMetric(readyDesc, prometheus.GaugeValue, is(reason == ""))
	for _, r := range rooms.Reasons {
		out <- prometheus.MustNewConstMetric(unreadyDesc, prometheus.GaugeValue, is(reason == string(r)), string(r))
	}
	if c.n.nats != nil {
		out <- prometheus.MustNewConstMetric(healsDesc, prometheus.CounterValue, float64(c.n.nats.JetStreamRestarts()))
	}
}
