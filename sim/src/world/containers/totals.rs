//! What nodes count of themselves, added up over all that ever ran.
//!
//! A node's counters go with it, so they are read once a second and once more before it is
//! stopped; what it counts after that is missing.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::{Told, What, World};
use crate::world::FailureObservations;

/// How often nodes are asked.
const EVERY: Duration = Duration::from_secs(1);
/// How long one may take to answer.
const PATIENCE: Duration = Duration::from_millis(500);

/// Whom to ask: a machine, at one of its starts, and where.
pub(super) type Place = (u32, u32, String);

/// What nodes have counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counted {
    /// Messages given to connections.
    pub(super) sent: u64,
    /// Messages that came in.
    pub(super) received: u64,
    /// Bytes written.
    pub(super) bytes: u64,
    /// How others failed them.
    pub(super) seen: FailureObservations,
}

/// What all starts of all machines have counted so far.
#[derive(Debug, Default)]
pub(super) struct Totals(BTreeMap<(u32, u32), Counted>);

impl Totals {
    /// A machine has counted so much since one of its starts.
    pub(super) fn add(&mut self, number: u32, epoch: u32, counted: Counted) {
        // An older reading may come after a newer one.
        let known = self.0.entry((number, epoch)).or_default();
        if counted.received >= known.received && counted.bytes >= known.bytes {
            *known = counted;
        }
    }

    /// All of it.
    pub(super) fn sum(&self) -> Counted {
        let all = self.0.values();
        all.fold(Counted::default(), |sum, one| Counted {
            sent: sum.sent + one.sent,
            received: sum.received + one.received,
            bytes: sum.bytes + one.bytes,
            seen: sum.seen + one.seen,
        })
    }
}

/// Asks the machines that the world names, as long as it is there.
pub(super) fn watch(world: &World) {
    let (places, sender, clock) = (
        Arc::downgrade(&world.poll),
        world.sender.clone(),
        world.clock,
    );
    let _ = super::beside(move || {
        while let Some(list) = places.upgrade() {
            let list = list.lock().unwrap_or_else(PoisonError::into_inner).clone();
            for (number, epoch, place) in list {
                let Some(counted) = read(&place) else {
                    continue;
                };
                let told = Told {
                    at: clock.real(),
                    number,
                    epoch,
                    what: What::Counted(counted),
                };
                if sender.send(told).is_err() {
                    return;
                }
            }
            std::thread::sleep(EVERY);
        }
    });
}

/// What the node at this address has counted; `None` if it does not answer.
pub(super) fn read(place: &str) -> Option<Counted> {
    let agent = super::clients::agent(PATIENCE);
    let mut response = agent.get(format!("http://{place}/metrics")).call().ok()?;
    let text = response.body_mut().read_to_string().ok()?;
    Some(parse(&text))
}

/// Reads counters in the form in which Prometheus takes them.
fn parse(text: &str) -> Counted {
    let mut counters = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if let Some((name, value)) = line.split_once(' ')
            && let Ok(value) = value.trim().parse::<f64>()
        {
            let name = name.strip_prefix("cuerda_").unwrap_or(name);
            counters.insert(name.strip_suffix("_total").unwrap_or(name), value as u64);
        }
    }
    let counter = |name: &str| counters.get(name).copied().unwrap_or(0);
    Counted {
        sent: counter("letters_sent"),
        received: counter("letters_received"),
        bytes: counter("sent_bytes"),
        seen: FailureObservations::of(counter),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_found_by_their_names() {
        let text = "# HELP cuerda_letters_sent_total Letters\n\
                    cuerda_letters_sent_total 7\n\
                    cuerda_dials_refused_total 2\n\
                    cuerda_something{of=\"else\"} 3\n";
        let counted = parse(text);
        assert_eq!(counted.sent, 7);
        assert_eq!((counted.seen.refused, counted.seen.reset), (2, 0));
    }

    #[test]
    fn every_start_counts() {
        let one = Counted {
            sent: 3,
            ..Counted::default()
        };
        let mut totals = Totals::default();
        totals.add(0, 1, one);
        totals.add(0, 1, one);
        totals.add(0, 2, one);
        totals.add(1, 1, one);
        assert_eq!(totals.sum().sent, 9);
    }
}
