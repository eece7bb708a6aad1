//! What must be true when nothing has gone wrong for long: everybody that is up is in the ring, and
//! clients are served. What clients are told while something is wrong is other checks' business.

use std::collections::BTreeMap;

use cuerda_core::protocol::{AccessError, Denied};
use cuerda_core::record::TooFarAhead;

use crate::world::{
    EPOCH_MS, Effect, Gone, LookupEnd, Moment, NodeView, ReadEnd, Simulated, Time, Watcher,
    WriteEnd,
};

/// So many failures in the calm may be chance: a message is lost where some always are.
const FEW: u64 = 3;

/// Counts what clients are refused while nothing is wrong.
#[derive(Debug)]
pub(super) struct Calm {
    /// How long nothing must have happened.
    patience: Time,
    /// When clients stop; what is read afterwards is the end checks' business.
    end: Time,
    /// When something last went wrong, or somebody came or went.
    last: Time,
    /// How many faults are in force that disturb clients.
    in_force: u64,
    served: BTreeMap<&'static str, Served>,
}

/// How clients fared with one kind of operation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Served {
    /// How many failed while something was wrong, or as they had to.
    pub(super) rightly: u64,
    /// How many of those that began in the calm failed, and how many there were.
    pub(super) failed: u64,
    pub(super) all: u64,
    /// What the first of these was told.
    pub(super) told: Option<String>,
}

impl Served {
    /// Whether more failed than chance explains.
    pub(super) const fn is_bad(&self) -> bool {
        self.failed > FEW && self.failed * 10 > self.all
    }
}

impl Calm {
    /// It is calm when nothing has happened for so long. Clients stop at `end`.
    pub(super) const fn after(patience: Time, end: Time) -> Calm {
        Calm {
            patience,
            end,
            last: 0,
            in_force: 0,
            served: BTreeMap::new(),
        }
    }

    /// How clients fared, by the number of the report that counts their failures.
    pub(super) fn served(&self) -> impl Iterator<Item = (&'static str, Served)> + '_ {
        self.served
            .iter()
            .map(|(&kind, served)| (kind, served.clone()))
    }

    fn ended(&mut self, kind: &'static str, issued: Time, (how, told): (How, Option<String>)) {
        if issued >= self.end {
            return;
        }
        let calm = self.in_force == 0 && issued >= self.last.saturating_add(self.patience);
        let served = self.served.entry(kind).or_default();
        served.all += u64::from(calm);
        match how {
            How::Served => {}
            How::Failed if calm => {
                served.failed += 1;
                served.told = served.told.take().or(told);
            }
            How::Failed | How::Denied => served.rightly += 1,
        }
    }
}

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Served,
    /// It asked for what must be denied.
    Denied,
    Failed,
}

fn how<T>(result: &Result<T, AccessError>) -> (How, Option<String>) {
    match result {
        Ok(_) => (How::Served, None),
        // Who writes one key all at once is beaten now and then.
        Err(AccessError::Denied(
            Denied::Changed(_) | Denied::Limit(_) | Denied::Keys(_) | Denied::Beaten,
        )) => (How::Denied, None),
        Err(error) => (How::Failed, Some(error.to_string())),
    }
}

/// Whether a write was refused for nothing but what its client had seen of a wrong clock: no node
/// takes in a stamp from so far ahead of the right time.
fn is_past_too_far(at: Moment, end: &WriteEnd) -> bool {
    let past = end.issue.past;
    let right = EPOCH_MS.saturating_add(at.now / 1_000_000);
    matches!(&end.result, Err(AccessError::Denied(Denied::Ahead(ahead))) if ahead.stamp == past)
        && TooFarAhead::judge(past, right).is_err()
}

impl<P: Simulated> Watcher<P> for Calm {
    fn joined(&mut self, at: Moment, _: NodeView<'_, P::View>) {
        self.last = at.now;
    }

    fn gone(&mut self, at: Moment, _: u32, _: Gone) {
        self.last = at.now;
    }

    fn lookup_ended(&mut self, _: Moment, end: &LookupEnd) {
        let how = match &end.result {
            Ok(_) => (How::Served, None),
            Err(error) => (How::Failed, Some(error.to_string())),
        };
        self.ended("lookups.failed", end.issued, how);
    }

    fn write_ended(&mut self, at: Moment, end: &WriteEnd) {
        let how = match is_past_too_far(at, end) {
            true => (How::Denied, None),
            false => how(&end.result),
        };
        self.ended("writes.failed", end.issued, how);
    }

    fn read_ended(&mut self, _: Moment, end: &ReadEnd) {
        self.ended("reads.failed", end.issued, how(&end.result));
    }

    fn fault_began(&mut self, at: Moment, effect: &Effect) {
        self.last = at.now;
        // Who goes, comes or is spoilt is so from then on; all else disturbs until it ends.
        let is_done = matches!(
            effect.kind,
            "crash" | "restart" | "move" | "snapshot" | "leave" | "join" | "disk"
        );
        self.in_force += u64::from(!is_done || effect.until.is_some());
    }

    fn fault_ended(&mut self, at: Moment, _: &Effect) {
        self.last = at.now;
        self.in_force = self.in_force.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cuerda_core::chord::Node;
    use cuerda_core::protocol::{Condition, LookupError};
    use cuerda_core::record::{Stamp, limits::TAKEN_MAX};
    use cuerda_core::ring::Id;

    use crate::world::{Cause, WriteIssue};

    fn at(now: Time) -> Moment {
        Moment {
            now,
            cause: Cause::Start,
        }
    }

    fn lookup(issued: Time) -> LookupEnd {
        LookupEnd {
            lookup: 1,
            asker: 1,
            key: Id::of_key(b"key"),
            issued,
            result: Err(LookupError::NoRoute),
            timeouts: 0,
        }
    }

    #[test]
    fn only_what_fails_in_the_calm_is_bad() {
        let mut calm = Calm::after(100, 1000);
        let watcher: &mut dyn Watcher<Node> = &mut calm;
        let effect = Effect {
            index: 0,
            occurrence: 0,
            kind: "skew",
            groups: Vec::new(),
            hit: 1,
            until: Some(50),
        };
        watcher.fault_began(at(10), &effect);
        watcher.fault_ended(at(50), &effect);
        for issued in [20, 149] {
            watcher.lookup_ended(at(200), &lookup(issued));
        }
        for _ in 0..4 {
            watcher.lookup_ended(at(200), &lookup(150));
        }
        watcher.lookup_ended(at(1200), &lookup(1000));
        let served: Vec<_> = calm.served().collect();
        let found = Served {
            rightly: 2,
            failed: 4,
            all: 4,
            told: Some(LookupError::NoRoute.to_string()),
        };
        assert_eq!(served, [("lookups.failed", found.clone())]);
        assert!(found.is_bad());
        let fewer = |failed, all| Served {
            failed,
            all,
            ..Served::default()
        };
        assert!(!fewer(3, 4).is_bad());
        assert!(!fewer(4, 40).is_bad());
    }

    #[test]
    fn a_past_that_no_clock_has_reached_is_rightly_refused_and_no_other() {
        let failed = |ahead: u64, refused: u64| {
            let stamp = |milliseconds| Stamp {
                milliseconds: EPOCH_MS + milliseconds,
                ..Stamp::ZERO
            };
            let ahead_of = TooFarAhead {
                stamp: stamp(refused),
                by: refused,
            };
            let mut calm = Calm::after(0, 1000);
            let end = WriteEnd {
                issue: WriteIssue {
                    write: 1,
                    asker: 1,
                    key: Id::ZERO,
                    deletes: false,
                    lives: None,
                    condition: Condition::None,
                    past: stamp(ahead),
                },
                issued: 10,
                result: Err(Denied::Ahead(ahead_of).into()),
            };
            let watcher: &mut dyn Watcher<Node> = &mut calm;
            watcher.write_ended(at(10), &end);
            calm.served().map(|(_, served)| served.failed).sum::<u64>()
        };
        let far = TAKEN_MAX + 1;
        assert_eq!(failed(far, far), 0);
        assert_eq!(failed(TAKEN_MAX, TAKEN_MAX), 1, "a right clock takes it");
        assert_eq!(failed(far, far + 5), 1, "what is there must not matter");
        assert_eq!(failed(0, far), 1);
    }
}
