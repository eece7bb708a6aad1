//! Cuts, loss and slow links, made in the containers' own network namespaces.
//!
//! Rules of netfilter stand where packets arrive: at the receiving node, or at the router for a cut
//! between its two networks. So the packets of a partition that lies between the networks meet the
//! wall at the router, as they would at a real one. Between whom nothing is wrong there is no rule.
//!
//! Loss is of packets, and TCP sends them again: what nodes see of it is delay.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};
use std::sync::Arc;

use super::delay::Delays;
use super::engine::{Engine, Trouble, docker};
use super::layout::{Layout, are_neighbours};
use super::namespace::within;
use crate::world::Time;
use crate::world::script::cuts::Cuts;

/// The network's faults, and where they are made.
pub(super) struct Walls {
    cuts: Cuts,
    layout: Layout,
    /// The router's process on the host.
    router: i32,
    /// The processes of the nodes that run.
    nodes: BTreeMap<u32, i32>,
    /// The rules that stand now, by process.
    standing: BTreeMap<i32, String>,
    delays: BTreeMap<u32, Delays>,
}

impl Walls {
    pub(super) fn new(_: &Arc<Engine>, layout: &Layout) -> Result<Walls, Trouble> {
        let router = docker(&["inspect", "--format", "{{.State.Pid}}", layout.router()])?;
        Ok(Walls {
            cuts: Cuts::default(),
            layout: layout.clone(),
            router: router.parse().unwrap_or(0),
            nodes: BTreeMap::new(),
            standing: BTreeMap::new(),
            delays: BTreeMap::new(),
        })
    }

    /// Reads or changes the faults; they are in force once they are applied.
    pub(super) fn change<T>(&mut self, act: impl FnOnce(&mut Cuts) -> T) -> T {
        act(&mut self.cuts)
    }

    /// A node's process runs, in a namespace without rules.
    pub(super) fn runs(&mut self, number: u32, process: i32) -> Result<(), Trouble> {
        self.nodes.insert(number, process);
        self.apply(super::layout::MOST)
    }

    /// A node's process has ended, and its namespace with it.
    pub(super) fn ends(&mut self, number: u32) {
        if let Some(process) = self.nodes.remove(&number) {
            self.standing.remove(&process);
        }
        self.delays.remove(&number);
    }

    /// Brings the rules in line with the faults among the first so many machines.
    pub(super) fn apply(&mut self, machines: u32) -> Result<(), Trouble> {
        let mut wanted = BTreeMap::from([(self.router, self.at_router(machines))]);
        let mut delays = BTreeMap::new();
        for (&number, &process) in &self.nodes {
            let mut queues = Vec::new();
            wanted.insert(process, self.at_node(number, machines, &mut queues));
            delays.insert(number, (process, queues));
        }
        // Who waits for packets must be there before they come.
        for (number, (process, queues)) in delays {
            let stands = self.delays.get(&number).map_or(&[][..], Delays::times);
            if stands == queues {
                continue;
            }
            self.delays.remove(&number);
            if !queues.is_empty() {
                let delays = Delays::start(process, &queues)?;
                self.delays.insert(number, delays);
            }
        }
        for (process, rules) in wanted {
            let stands = self.standing.get(&process).map_or("", String::as_str);
            if rules != stands {
                restore(process, &rules)?;
                self.standing.insert(process, rules);
            }
        }
        Ok(())
    }

    /// Cuts between the two networks.
    fn at_router(&self, machines: u32) -> String {
        let mut rules = String::new();
        for (from, to) in pairs(machines) {
            if !are_neighbours(from, to) && self.cuts.block(from, to) {
                let (from, to) = (self.layout.address(from), self.layout.address(to));
                rules += &format!("-A FORWARD -s {from} -d {to} -j DROP\n");
            }
        }
        rules
    }

    /// What a node does not get, or not at once, of what others send it. `queues` gets the
    /// delays that it needs; the place of each is the number of its queue.
    fn at_node(&self, to: u32, machines: u32, queues: &mut Vec<Time>) -> String {
        let mut rules = String::new();
        for from in (0..machines).filter(|&from| from != to) {
            let source: Ipv4Addr = self.layout.address(from);
            if are_neighbours(from, to) && self.cuts.block(from, to) {
                rules += &format!("-A INPUT -s {source} -j DROP\n");
                continue;
            }
            let share = self.cuts.share_lost(from, to);
            if share > 0.0 {
                rules += &format!(
                    "-A INPUT -s {source} -m statistic --mode random --probability {share:.6} -j \
                     DROP\n"
                );
            }
            let delay = self.cuts.delay(from, to);
            if delay > 0 {
                let queue = queues.iter().position(|&other| other == delay);
                let queue = queue.unwrap_or_else(|| {
                    queues.push(delay);
                    queues.len() - 1
                });
                rules += &format!(
                    "-A INPUT -s {source} -j NFQUEUE --queue-num {queue} --queue-bypass\n"
                );
            }
        }
        rules
    }
}

fn pairs(machines: u32) -> impl Iterator<Item = (u32, u32)> {
    let all = (0..machines).flat_map(move |from| (0..machines).map(move |to| (from, to)));
    all.filter(|(from, to)| from != to)
}

/// Puts these rules in the place of all others in the network of a process.
fn restore(process: i32, rules: &str) -> Result<(), Trouble> {
    let text = format!("*filter\n:INPUT ACCEPT\n:FORWARD ACCEPT\n:OUTPUT ACCEPT\n{rules}COMMIT\n");
    within(process, move || iptables_restore(&text))
}

fn iptables_restore(text: &str) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("iptables-restore can't be run: {error}");
    let mut child = Command::new("iptables-restore")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(text.as_bytes()).map_err(failed)?;
    }
    let output = child.wait_with_output().map_err(failed)?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("iptables-restore refused\n{text}{}", said.trim()))
}
