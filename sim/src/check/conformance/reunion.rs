//! Peers presumed dead are probed, ever more rarely, and asked for one's own place when they answer
//! (T. M. Shafaat, A. Ghodsi and S. Haridi, *Dealing with network partitions in structured overlay
//! networks*, Peer-to-Peer Networking and Applications 2(4), 2009).

use cuerda_core::ring::Id;

use super::act::{Answer, Ask, Given, Said, Told};
use super::steps::Steps;
use super::{Case, short};
use crate::world::Time;

/// A peer that a member probes.
#[derive(Clone, Copy, Debug)]
struct Probe {
    to: Id,
    /// In which period it was last asked, and how many must pass before it may be asked again.
    period: u64,
    wait: u64,
}

/// In so many periods a newcomer probes at least one of those that it remembers.
const PATIENCE: u64 = 12;

/// Whom a member probes.
#[derive(Clone, Debug, Default)]
pub(super) struct Probes {
    /// Counts stabilization periods.
    period: u64,
    all: Vec<Probe>,
    /// When probes were sent, as long as they may be open.
    sent: Vec<Time>,
    /// Whom it was told after a start that it once remembered, as long as it has probed none of
    /// them; and the period in which it became a member.
    told: Vec<Id>,
    member_since: u64,
}

impl Probes {
    /// `home` is who owns the node's own place, if a look-up has just found that out.
    pub(super) fn judge(
        &mut self,
        case: &mut Case<'_>,
        is_member: bool,
        home: Option<Id>,
        steps: &Steps,
    ) {
        if case.act.input == Given::StabilizeDue {
            self.period += 1;
        }
        if case.act.joined || !is_member {
            self.all.clear();
            self.sent.clear();
            self.member_since = self.period;
        }
        for told in &case.act.told {
            if let Told::Dead(peer) = told {
                self.forget(*peer);
            }
        }
        if let Given::Remember(peers) = &case.act.input {
            for peer in peers {
                self.forget(*peer);
            }
            self.told.clone_from(peers);
        }
        if let Given::Heard(_, Said::Remember(peers)) = &case.act.input {
            // Whom others remember is looked for anew.
            peers.iter().for_each(|peer| self.forget(*peer));
        }
        if is_member {
            self.remembers(case);
            self.answered(case);
            self.asks(case);
            finds_home(case, home, steps);
        }
    }

    /// How many probes may be open: an answer may take so long. A peer may be asked anew meanwhile.
    pub(super) fn open(&mut self, now: Time, timeout: Time) -> usize {
        self.sent.retain(|sent| sent.saturating_add(timeout) >= now);
        self.sent.len()
    }

    /// What is remembered anew is probed anew.
    fn forget(&mut self, peer: Id) {
        self.all.retain(|probe| probe.to != peer);
    }

    /// Whoever is told of peers that it once remembered probes them.
    fn remembers(&mut self, case: &mut Case<'_>) {
        if self.told.is_empty() {
            return;
        }
        let probes = case.act.asked().any(|(_, _, ask)| *ask == Ask::Hello);
        let heard = match &case.act.input {
            Given::Heard(from, _) => Some(from.id),
            _ => None,
        };
        // Whoever is heard of again, or is a neighbour, need not be probed.
        let (before, next) = (case.after.predecessor().id, case.after.successor().id);
        let known = [Some(before), Some(next), heard, Some(case.me.id)];
        self.told.retain(|peer| !known.contains(&Some(*peer)));
        if probes {
            self.told.clear();
        } else if self.period > self.member_since + PATIENCE && !self.told.is_empty() {
            let detail = format!(
                "has probed none of the {} peers that it remembered before its start",
                self.told.len()
            );
            case.breach("memory-not-probed", detail);
            self.told.clear();
        }
    }

    fn answered(&mut self, case: &mut Case<'_>) {
        let Some((from, _, Answer::Hello(hello))) = case.act.reply() else {
            return;
        };
        // An earlier one may be answered when the next is under way; a member asks this by probes
        // alone.
        let is_probe = |probe: &Probe| probe.to == from.id;
        if !self.all.iter().any(is_probe) || case.act.ignored {
            return;
        }
        let me = case.me.id;
        let asks = case.act.asked().any(|(to, _, ask)| {
            to.id == from.id && matches!(ask, Ask::Find { key, .. } if *key == me)
        });
        if hello.member && !asks {
            let detail = format!(
                "did not ask {}, which it had presumed dead, for its own place",
                short(from.id)
            );
            case.breach("reunion-not-sought", detail);
        }
        if hello.member {
            self.forget(from.id);
        }
    }

    fn asks(&mut self, case: &mut Case<'_>) {
        let most = case.settings.probe_periods_max;
        let mut hasty = Vec::new();
        for (to, _, ask) in case.act.asked() {
            if *ask != Ask::Hello {
                continue;
            }
            self.sent.push(case.now);
            match self.all.iter_mut().find(|probe| probe.to == to.id) {
                Some(probe) => {
                    if self.period - probe.period < probe.wait {
                        hasty.push(to.id);
                    }
                    probe.period = self.period;
                    probe.wait = (probe.wait * 2).min(most);
                }
                None => self.all.push(Probe {
                    to: to.id,
                    period: self.period,
                    wait: 2.min(most),
                }),
            }
        }
        // Nobody remembers more.
        if self.all.len() > usize::from(cuerda_core::chord::limits::REMEMBERED) {
            self.all.remove(0);
        }
        for peer in hasty {
            let detail = format!("probed {} again before the wait had doubled", short(peer));
            case.breach("probes-too-often", detail);
        }
    }
}

/// Whoever owns one's own place in another ring is contacted.
fn finds_home(case: &mut Case<'_>, home: Option<Id>, steps: &Steps) {
    let Some(owner) = home else { return };
    let contacted = case.act.asked_neighbours_of(owner) || case.act.notified(owner);
    if owner != case.me.id && !steps.is_busy() && !contacted {
        let detail = format!(
            "did not contact {}, which owns its place in another ring",
            short(owner)
        );
        case.breach("home-not-contacted", detail);
    }
}
