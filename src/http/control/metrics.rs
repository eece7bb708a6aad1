//! A node's numbers as Prometheus reads them (`OpenMetrics` text).
//!
//! Names carry their unit, labels are few and never name a peer or a key: a ring of a million
//! nodes must not make a million time series at each of them.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::registry::{Registry, Unit};

use super::health::{Health, Wellbeing};
use crate::host::{Counters, NodeStatus, Status};
use cuerda_core::chord::Membership;

/// The media type of the page.
pub(super) const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

const STANDINGS: [(Membership, &str); 5] = [
    (Membership::Outside, "outside"),
    (Membership::Joining, "joining"),
    (Membership::Member, "member"),
    (Membership::Stranded, "stranded"),
    (Membership::Leaving, "leaving"),
];

/// The page.
pub(super) fn page(status: &Status, counters: &Counters, stopping: bool) -> String {
    let numbers = Numbers {
        status: status.clone(),
        ready: Health::of(status, stopping).status != Wellbeing::Unhealthy,
        counters: counters.all(),
    };
    let mut registry = Registry::with_prefix("cuerda");
    registry.register_collector(Box::new(numbers));
    let mut page = String::new();
    text::encode(&mut page, &registry).expect("writing to a string does not fail");
    page
}

#[derive(Debug)]
struct Numbers {
    status: Status,
    ready: bool,
    /// Name, meaning and value.
    counters: Vec<(&'static str, &'static str, u64)>,
}

impl Collector for Numbers {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let status = &self.status;
        let release = [("release", status.release.as_str())];
        encoder
            .encode_descriptor("build", "The release that runs", None, MetricType::Info)?
            .encode_info(&release)?;
        let mut nodes = encoder.encode_descriptor(
            "nodes",
            "Nodes of this process by their standing towards the ring",
            None,
            MetricType::Gauge,
        )?;
        for (standing, name) in STANDINGS {
            let has = |node: &&NodeStatus| node.standing == standing;
            let count = status.nodes.iter().filter(has).count();
            let label = [("standing", name)];
            nodes.encode_family(&label)?.encode_gauge(&signed(count))?;
        }
        let mut gauge = |name, help, value| {
            encoder
                .encode_descriptor(name, help, None, MetricType::Gauge)?
                .encode_gauge(&signed(value))
        };
        let least = |count: fn(&NodeStatus) -> usize| {
            status.nodes.iter().map(count).min().unwrap_or_default()
        };
        gauge(
            "ready",
            "Whether the node can do its work: 1 or 0",
            usize::from(self.ready),
        )?;
        gauge(
            "successors",
            "Entries of the successor list, the shortest if there are several",
            least(|node| node.successors.len()),
        )?;
        gauge(
            "successors_wanted",
            "Entries of a full successor list",
            least(|node| usize::from(node.successors_wanted)),
        )?;
        gauge(
            "fingers",
            "Different fingers, of the node with the fewest",
            least(|node| node.fingers),
        )?;
        gauge(
            "remembered_peers",
            "Peers presumed dead that are still probed, of all nodes",
            status.nodes.iter().map(|node| node.remembered.len()).sum(),
        )?;
        gauge(
            "records_held",
            "Keys with a record here, copies for other nodes included, of all nodes",
            status.nodes.iter().map(|node| node.records).sum(),
        )?;
        gauge(
            "connections",
            "Open connections to other processes",
            status.connections,
        )?;
        gauge(
            "incarnation",
            "Starts of this node",
            usize::try_from(status.incarnation).unwrap_or(usize::MAX),
        )?;
        encoder
            .encode_descriptor(
                "uptime",
                "Time since the process started",
                Some(&Unit::Seconds),
                MetricType::Gauge,
            )?
            .encode_gauge(&status.uptime_s)?;
        let lost = status.lines_lost;
        let lost = [
            (
                "log_lines_lost",
                "Lines of the log that could not be written",
                lost.log,
            ),
            (
                "stdout_lines_lost",
                "Lines of stdout, events among them, that could not be written",
                lost.stdout,
            ),
        ];
        for (name, help, value) in self.counters.iter().chain(&lost) {
            // The unit goes to the end of the name, where its readers look for it.
            let (name, unit) = match name.strip_prefix("bytes_") {
                Some(rest) => (rest, Some(Unit::Bytes)),
                None => (*name, None),
            };
            let help = help.trim_end_matches('.');
            let counter = ConstCounter::new(*value);
            let kind = counter.metric_type();
            counter.encode(encoder.encode_descriptor(name, help, unit.as_ref(), kind)?)?;
        }
        Ok(())
    }
}

/// Gauges are signed; no count here comes near the limit.
fn signed(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::health::tests::status;
    use super::*;

    #[test]
    fn the_page_says_all_and_names_nobody() {
        let page = page(&status(), &Counters::default(), false);
        insta::assert_snapshot!(page);
        for told in [&status().public_key, &status().nodes[0].id.to_string()] {
            assert!(!page.contains(told.as_str()));
        }
    }

    #[test]
    fn a_node_that_stops_is_not_ready() {
        let page = page(&status(), &Counters::default(), true);
        assert!(page.contains("\ncuerda_ready 0\n"), "{page}");
    }
}
