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
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use super::delay::Delays;
use super::engine::{Trouble, docker};
use super::layout::{Layout, are_neighbours};
use super::namespace::Namespace;
use crate::world::Time;
use crate::world::script::network_faults::NetworkFaults;

/// The network's faults, and where they are made.
pub(super) struct Netfilter {
    network_faults: NetworkFaults,
    layout: Layout,
    /// The networks of the router (`None`) and of the nodes that run, and the rules that stand
    /// there.
    places: BTreeMap<Option<u32>, Place>,
    delays: BTreeMap<u32, Delays>,
}

struct Place {
    network: Namespace,
    stands: String,
}

impl Place {
    /// The network of a process, without rules.
    fn of(process: i32) -> Result<Place, Trouble> {
        Ok(Place {
            network: Namespace::of(process)?,
            stands: String::new(),
        })
    }
}

impl Netfilter {
    pub(super) fn new(layout: &Layout) -> Result<Netfilter, Trouble> {
        let router = docker(&["inspect", "--format", "{{.State.Pid}}", layout.router()])?;
        let router = Place::of(router.parse().unwrap_or(0))?;
        Ok(Netfilter {
            network_faults: NetworkFaults::default(),
            layout: layout.clone(),
            places: BTreeMap::from([(None, router)]),
            delays: BTreeMap::new(),
        })
    }

    /// Reads or changes the faults; they are in force once they are applied.
    pub(super) fn change<T>(&mut self, act: impl FnOnce(&mut NetworkFaults) -> T) -> T {
        act(&mut self.network_faults)
    }

    /// A node's process runs, in a network of its own.
    pub(super) fn runs(&mut self, number: u32, process: i32) -> Result<(), Trouble> {
        self.places.insert(Some(number), Place::of(process)?);
        self.apply(super::layout::MOST)
    }

    /// A node's process has ended, and its network with it.
    pub(super) fn ends(&mut self, number: u32) {
        self.places.remove(&Some(number));
        self.delays.remove(&number);
    }

    /// Brings the rules in line with the faults among the first so many machines.
    pub(super) fn apply(&mut self, machines: u32) -> Result<(), Trouble> {
        let places: Vec<Option<u32>> = self.places.keys().copied().collect();
        for place in places {
            let mut queues = Vec::new();
            let rules = match place {
                None => self.at_router(machines),
                Some(number) => self.at_node(number, machines, &mut queues),
            };
            let Some(Place { network, stands }) = self.places.get_mut(&place) else {
                continue;
            };
            if let Some(number) = place {
                // Who waits for packets must be there before they come.
                let kept = self.delays.get(&number).map_or(&[][..], Delays::times);
                if kept != queues {
                    self.delays.remove(&number);
                    if !queues.is_empty() {
                        let delays = Delays::start(network.again()?, &queues)?;
                        self.delays.insert(number, delays);
                    }
                }
            }
            if *stands != rules {
                let text = format!(
                    "*filter\n:INPUT ACCEPT\n:FORWARD ACCEPT\n:OUTPUT ACCEPT\n{rules}COMMIT\n"
                );
                network.within(|| iptables_restore(&text))?;
                *stands = rules;
            }
        }
        Ok(())
    }

    /// Cuts between the two networks.
    fn at_router(&self, machines: u32) -> String {
        let mut rules = String::new();
        for (from, to) in pairs(machines) {
            if !are_neighbours(from, to) && self.network_faults.block(from, to) {
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
            if are_neighbours(from, to) && self.network_faults.block(from, to) {
                rules += &format!("-A INPUT -s {source} -j DROP\n");
                continue;
            }
            let share = self.network_faults.share_lost(from, to);
            if share > 0.0 {
                rules += &format!(
                    "-A INPUT -s {source} -m statistic --mode random --probability {share:.6} -j \
                     DROP\n"
                );
            }
            let delay = self.network_faults.delay(from, to);
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

/// Puts these rules in the place of all others, in the network that this thread is in.
fn iptables_restore(text: &str) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("iptables-restore can't be run: {error}");
    let mut child = Command::new("iptables-restore")
        // Others may hold the lock that the older kind of tables has.
        .args(["--wait", "10"])
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        // Who does not read to the end says why.
        let _ = stdin.write_all(text.as_bytes());
    }
    let output = child.wait_with_output().map_err(failed)?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("iptables-restore refused\n{text}{}", said.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::SECOND;
    use crate::world::script::network_faults::NetworkFault;

    fn netfilter(faults: &[NetworkFault]) -> Netfilter {
        let mut netfilter = Netfilter {
            network_faults: NetworkFaults::default(),
            layout: Layout::imagined(),
            places: BTreeMap::new(),
            delays: BTreeMap::new(),
        };
        for (index, fault) in faults.iter().enumerate() {
            netfilter.change(|all| all.begin(index, fault.clone()));
        }
        netfilter
    }

    #[test]
    fn a_cut_stands_at_the_router_only_where_it_lies_between_the_networks() {
        // n0 and n2 are near, n1 and n3 far.
        let between = netfilter(&[NetworkFault::Partition(vec![0, 1, 0, 1])]);
        assert_eq!(between.at_router(4).lines().count(), 8);
        for node in 0..4 {
            assert_eq!(between.at_node(node, 4, &mut Vec::new()), "");
        }
        let across = netfilter(&[NetworkFault::Partition(vec![0, 0, 1, 1])]);
        assert_eq!(
            across.at_router(4),
            "-A FORWARD -s 10.180.1.10 -d 10.180.2.11 -j DROP\n\
             -A FORWARD -s 10.180.2.10 -d 10.180.1.11 -j DROP\n\
             -A FORWARD -s 10.180.1.11 -d 10.180.2.10 -j DROP\n\
             -A FORWARD -s 10.180.2.11 -d 10.180.1.10 -j DROP\n"
        );
        assert_eq!(
            across.at_node(0, 4, &mut Vec::new()),
            "-A INPUT -s 10.180.1.11 -j DROP\n"
        );
    }

    #[test]
    fn one_way_is_one_way() {
        let yes_no = |yes: usize| (0..3).map(|node| node == yes).collect();
        let netfilter = netfilter(&[NetworkFault::OneWay(yes_no(0), yes_no(2))]);
        assert_eq!(netfilter.at_router(3), "");
        assert_eq!(netfilter.at_node(0, 3, &mut Vec::new()), "");
        assert_eq!(
            netfilter.at_node(2, 3, &mut Vec::new()),
            "-A INPUT -s 10.180.1.10 -j DROP\n"
        );
    }

    #[test]
    fn loss_and_delay_concern_what_goes_in_and_out() {
        let netfilter = netfilter(&[
            NetworkFault::Loss(vec![true, false, false], 0.5),
            NetworkFault::Slow(vec![true, true, false], SECOND),
        ]);
        let mut queues = Vec::new();
        assert_eq!(
            netfilter.at_node(0, 3, &mut queues),
            "-A INPUT -s 10.180.2.10 -m statistic --mode random --probability 0.500000 -j DROP\n\
             -A INPUT -s 10.180.2.10 -j NFQUEUE --queue-num 0 --queue-bypass\n\
             -A INPUT -s 10.180.1.11 -m statistic --mode random --probability 0.500000 -j DROP\n\
             -A INPUT -s 10.180.1.11 -j NFQUEUE --queue-num 1 --queue-bypass\n"
        );
        // Both ends are slow, or one.
        assert_eq!(queues, [2 * SECOND, SECOND]);
        let mut queues = Vec::new();
        assert_eq!(netfilter.at_node(2, 3, &mut queues).lines().count(), 3);
        assert_eq!(queues, [SECOND]);
        assert_eq!(netfilter.at_router(3), "");
    }
}
