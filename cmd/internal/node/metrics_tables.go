package node

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms"
)

var (
	begunDesc     = prometheus.NewDesc("roomd_tables_begun", "Tables of all nodes that there are, as every node sees it; no more begin than --max-tables.", nil, nil)
	atBoundDesc   = prometheus.NewDesc("roomd_table_at_bound_total", "Commands that the rules refused because a bound of theirs was reached, by its name; those after the first 32 count as other.", []string{"bound"}, nil)
	brokenDesc    = prometheus.NewDesc("roomd_tables_broken", "Tables of all nodes that stand still because their rules failed, as every node sees it; more than 0 is an alarm.", nil, nil)
	secretsDesc   = prometheus.NewDesc("roomd_secrets_differ", "Other nodes with another secret than this one's: neither believes what the other publishes for its users; more than 0 is an alarm.", nil, nil)
	differDesc    = prometheus.NewDesc("roomd_tables_differ", "Other nodes that host other tables than this one, or by other rules or settings (--tables, --dealer, --bet-time, --deal-time); more than 0 is an alarm, but while nodes are updated.", nil, nil)
	busyDesc      = prometheus.NewDesc("roomd_tables_busy", "Tables of all nodes that go on though nobody may be there, as every node sees it.", nil, nil)
	tableLoadDesc = prometheus.NewDesc("roomd_table_load_seconds", "Time to load a table: its snapshot, and the steps behind it.", nil, nil)
)

// tableCollector collects how the tables are. It is immutable.
type tableCollector struct{ engine *rooms.Engine }

// Describe implements prometheus.Collector.
func (c tableCollector) Describe(out chan<- *prometheus.Desc) {
	out <- begunDesc
	out <- atBoundDesc
	out <- brokenDesc
	out <- differDesc
	out <- secretsDesc
	out <- busyDesc
	out <- tableLoadDesc
}

// Collect implements prometheus.Collector.
func (c tableCollector) Collect(out chan<- prometheus.Metric) {
	out <- prometheus.MustNewConstMetric(begunDesc, prometheus.GaugeValue, float64(c.engine.TablesBegun()))
	out <- prometheus.MustNewConstMetric(brokenDesc, prometheus.GaugeValue, float64(c.engine.TablesStopped()))
	out <- prometheus.MustNewConstMetric(differDesc, prometheus.GaugeValue, float64(c.engine.TablesDiffer()))
	out <- prometheus.MustNewConstMetric(secretsDesc, prometheus.GaugeValue, float64(c.engine.SecretsDiffer()))
	out <- prometheus.MustNewConstMetric(busyDesc, prometheus.GaugeValue, float64(c.engine.TablesBusy()))
	c.engine.TableStats().AtBound.Each(func(bound string, count int64) {
		out <- prometheus.MustNewConstMetric(atBoundDesc, prometheus.CounterValue, float64(count), bound)
	})
	out <- histogram(tableLoadDesc, c.engine.TableLoads())
}
