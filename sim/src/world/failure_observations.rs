//! What nodes see of others that don't answer: how connections and questions end.

use std::ops::{Add, Sub};

use serde::Serialize;

/// How often nodes saw others fail, and as what. Which of these a fault causes is what a simulated
/// network has to have in common with a real one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FailureObservations {
    /// Connections refused: the machine is there, and nobody listens.
    pub refused: u64,
    /// Connections to where there is no machine, as its network says.
    pub unreachable: u64,
    /// Connections that never came about: nothing answered.
    pub hung: u64,
    /// Open connections that the other end closed with a good-bye.
    pub ended: u64,
    /// Open connections that ended without one, as when a process is killed.
    pub cut: u64,
    /// Open connections that turned out to be gone.
    pub reset: u64,
    /// Questions without an answer in time.
    pub timed_out: u64,
}

impl FailureObservations {
    /// The counters of a host, by their names.
    #[cfg(any(feature = "turmoil", feature = "containers"))]
    pub(super) fn of(counter: impl Fn(&str) -> u64) -> FailureObservations {
        FailureObservations {
            refused: counter("dials_refused"),
            unreachable: counter("dials_unreachable"),
            hung: counter("dials_silent"),
            ended: counter("connections_ended"),
            cut: counter("connections_cut"),
            reset: counter("connections_reset"),
            timed_out: counter("requests_timed_out"),
        }
    }

    fn with(
        self,
        other: FailureObservations,
        each: impl Fn(u64, u64) -> u64,
    ) -> FailureObservations {
        FailureObservations {
            refused: each(self.refused, other.refused),
            unreachable: each(self.unreachable, other.unreachable),
            hung: each(self.hung, other.hung),
            ended: each(self.ended, other.ended),
            cut: each(self.cut, other.cut),
            reset: each(self.reset, other.reset),
            timed_out: each(self.timed_out, other.timed_out),
        }
    }

    /// Each by the word that a reader knows it by.
    #[must_use]
    pub fn words(&self) -> [(&'static str, u64); 7] {
        [
            ("refused", self.refused),
            ("unreachable", self.unreachable),
            ("hung", self.hung),
            ("ended", self.ended),
            ("cut", self.cut),
            ("reset", self.reset),
            ("timed out", self.timed_out),
        ]
    }
}

impl Add for FailureObservations {
    type Output = FailureObservations;

    fn add(self, other: FailureObservations) -> FailureObservations {
        self.with(other, u64::saturating_add)
    }
}

/// What came since; what is missing on the left counts as nothing.
impl Sub for FailureObservations {
    type Output = FailureObservations;

    fn sub(self, other: FailureObservations) -> FailureObservations {
        self.with(other, u64::saturating_sub)
    }
}
