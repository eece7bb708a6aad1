//! A node's numbers as Prometheus reads them: as `OpenMetrics` text for those who ask for that, else
//! in Prometheus's own older format, which all its tools read.
//!
//! Names carry their unit, labels are few and never name a peer or a key: a ring of a million
//! nodes must not make a million time series at each of them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::registry::{Registry, Unit};

use super::health::{Health, Wellbeing};
use crate::host::{Counters, NodeStatus, Status, descriptor_limit, open_descriptors};
use cuerda_core::chord::Membership;

/// How the page is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// `OpenMetrics`, for those who ask for it.
    OpenMetrics,
    /// The text format of Prometheus.
    Prometheus,
}

impl Format {
    /// What a client who sends this header `Accept` is answered with.
    pub(super) fn accepted(accept: Option<&str>) -> Format {
        let asks = |range: &str| {
            let media_type = range.split(';').next().unwrap_or_default();
            media_type
                .trim()
                .eq_ignore_ascii_case("application/openmetrics-text")
        };
        match accept.is_some_and(|accept| accept.split(',').any(asks)) {
            true => Format::OpenMetrics,
            false => Format::Prometheus,
        }
    }

    /// The media type of the page.
    pub(super) const fn media_type(self) -> &'static str {
        match self {
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Format::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

const STANDINGS: [(Membership, &str); 5] = [
    (Membership::Outside, "outside"),
    (Membership::Joining, "joining"),
    (Membership::Member, "member"),
    (Membership::Stranded, "stranded"),
    (Membership::Leaving, "leaving"),
];

/// The page.
pub(super) fn page(
    status: &Status,
    counters: &Arc<Counters>,
    descriptors: Descriptors,
    stopping: bool,
    format: Format,
) -> String {
    let numbers = Numbers {
        status: status.clone(),
        ready: Health::of(status, stopping).status != Wellbeing::Unhealthy,
        counters: Arc::clone(counters),
        descriptors,
    };
    let mut registry = Registry::with_prefix("cuerda");
    registry.register_collector(Box::new(numbers));
    let mut page = String::new();
    text::encode(&mut page, &registry).expect("writing to a string does not fail");
    match format {
        Format::OpenMetrics => page,
        Format::Prometheus => in_prometheus_format(&page),
    }
}

/// The same page in the older format. There a counter is called as its sample is, with `_total`, an
/// info is a gauge that ends in `_info`, and neither units nor the end of the page are told.
fn in_prometheus_format(page: &str) -> String {
    let kinds: BTreeMap<&str, &str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
        .collect();
    let mut text = String::new();
    for line in page.lines() {
        let words = line.strip_prefix("# ").map(|rest| rest.splitn(3, ' '));
        let Some(mut words) = words else {
            text += line;
            text += "\n";
            continue;
        };
        let (Some(what @ ("HELP" | "TYPE")), Some(name), Some(rest)) =
            (words.next(), words.next(), words.next())
        else {
            continue;
        };
        let (ending, kind) = match kinds.get(name) {
            Some(&"counter") => ("_total", "counter"),
            Some(&"info") => ("_info", "gauge"),
            Some(&kind) => ("", kind),
            None => ("", "untyped"),
        };
        let rest = if what == "TYPE" { kind } else { rest };
        text += &format!("# {what} {name}{ending} {rest}\n");
    }
    text
}

/// File descriptors of this process, where the system tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Descriptors {
    pub(super) open: Option<u64>,
    pub(super) limit: Option<u64>,
}

impl Descriptors {
    pub(super) fn now() -> Descriptors {
        Descriptors {
            open: open_descriptors(),
            limit: descriptor_limit(),
        }
    }
}

#[derive(Debug)]
struct Numbers {
    status: Status,
    ready: bool,
    counters: Arc<Counters>,
    descriptors: Descriptors,
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
        let copies = status.copies();
        gauge(
            "keys_lacking_copies",
            "Keys served here of which fewer nodes than should are known to hold a copy, of all nodes",
            usize::try_from(copies.lacking).unwrap_or(usize::MAX),
        )?;
        gauge(
            "copies_settled",
            "Whether all nodes serve just what they should, and have all that there is of it: 1 or 0",
            usize::from(copies.settled),
        )?;
        gauge(
            "copies_under_way",
            "Whether records are compared or brought from one node to another: 1 or 0",
            usize::from(copies.under_way),
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
        let wrong = status.nodes.iter().filter_map(|node| node.clock_wrong_ms);
        let wrong = wrong.min_by_key(|by| by.unsigned_abs()).unwrap_or(0);
        encoder
            .encode_descriptor(
                "clock_offset",
                "How far this machine's clock is ahead of those of other nodes, negative if behind; 0 \
                 if it is near them",
                Some(&Unit::Seconds),
                MetricType::Gauge,
            )?
            .encode_gauge(&(wrong as f64 / 1000.0))?;
        encoder
            .encode_descriptor(
                "uptime",
                "Time since the process started",
                Some(&Unit::Seconds),
                MetricType::Gauge,
            )?
            .encode_gauge(&status.uptime_s)?;
        // What has no value now is described all the same, so that one knows of it.
        let mut age = encoder.encode_descriptor(
            "stabilization_age",
            "Time since all members of this process last stabilized; none in a ring of one",
            Some(&Unit::Seconds),
            MetricType::Gauge,
        )?;
        if let Some(ago) = status.stabilized_s {
            age.encode_gauge(&ago)?;
        }
        let Descriptors { open, limit } = self.descriptors;
        let sizes = [
            (
                "disk",
                "Size of the file of records, with its log",
                Some(Unit::Bytes),
                status.disk_bytes,
            ),
            (
                "open_descriptors",
                "File descriptors that are open",
                None,
                open,
            ),
            (
                "descriptors_limit",
                "File descriptors that the process may have",
                None,
                limit,
            ),
        ];
        for (name, help, unit, value) in sizes {
            let mut gauge =
                encoder.encode_descriptor(name, help, unit.as_ref(), MetricType::Gauge)?;
            if let Some(value) = value {
                gauge.encode_gauge(&i64::try_from(value).unwrap_or(i64::MAX))?;
            }
        }
        for (name, help, histogram) in self.counters.latencies.all() {
            let (unit, kind) = (Some(&Unit::Seconds), MetricType::Histogram);
            histogram.encode(encoder.encode_descriptor(name, help, unit, kind)?)?;
        }
        let lost = status.lines_lost;
        let told = [
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
            (
                "records_scrubbed",
                "Records read from the disk to see whether they have rotted",
                status.nodes.iter().map(|node| node.scrubbed).sum(),
            ),
        ];
        for (name, help, value) in self.counters.all().iter().chain(&told) {
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

    const DESCRIPTORS: Descriptors = Descriptors {
        open: Some(17),
        limit: Some(1024),
    };

    fn shown(stopping: bool, format: Format) -> String {
        let counters = Arc::default();
        page(&status(), &counters, DESCRIPTORS, stopping, format)
    }

    #[test]
    fn the_page_says_all_and_names_nobody() {
        let page = shown(false, Format::OpenMetrics);
        insta::assert_snapshot!(page);
        for told in [&status().public_key, &status().nodes[0].id.to_string()] {
            assert!(!page.contains(told.as_str()));
        }
    }

    #[test]
    fn a_node_that_stops_is_not_ready() {
        let page = shown(true, Format::OpenMetrics);
        assert!(page.contains("\ncuerda_ready 0\n"), "{page}");
    }

    #[test]
    fn the_older_format_has_the_same_samples_under_names_of_its_own() {
        let [new, old] =
            [Format::OpenMetrics, Format::Prometheus].map(|format| shown(false, format));
        let samples = |page: &str| -> Vec<String> {
            let lines = page.lines().filter(|line| !line.starts_with('#'));
            lines.map(str::to_owned).collect()
        };
        assert_eq!(samples(&new), samples(&old));
        for line in [
            "# TYPE cuerda_lookups_total counter",
            "# TYPE cuerda_build_info gauge",
            "# TYPE cuerda_write_duration_seconds histogram",
            "# HELP cuerda_ready Whether the node can do its work: 1 or 0",
        ] {
            assert!(old.lines().any(|other| other == line), "{line}: {old}");
        }
        assert!(!old.contains("# EOF") && !old.contains("# UNIT"), "{old}");
    }

    #[test]
    fn the_newer_format_is_for_those_who_ask_for_it() {
        let openmetrics = [
            "application/openmetrics-text",
            "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
            "text/plain, Application/OpenMetrics-Text",
        ];
        for accept in openmetrics {
            assert_eq!(
                Format::accepted(Some(accept)),
                Format::OpenMetrics,
                "{accept}"
            );
        }
        for accept in [None, Some("*/*"), Some("text/plain;version=0.0.4")] {
            assert_eq!(Format::accepted(accept), Format::Prometheus, "{accept:?}");
        }
    }
}
