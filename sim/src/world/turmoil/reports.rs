//! What the machines report to their world, in the order in which they do.
//!
//! Nothing here is looked at before a step is over, so what a machine reports changes nothing that
//! another one sees in the same step.

use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use cuerda::host::Ended;
use cuerda_core::protocol::{Event, Protocol};
use cuerda_core::ring::Id;
use cuerda_core::store::Batch;

use super::net::now;
use crate::world::Time;

/// What was reported since the world last looked, as machines and the world hold it. A world has
/// one thread, so nobody ever waits for the lock.
pub(super) struct Reports<P: Protocol>(Arc<Mutex<Vec<Report<P>>>>);

/// Something a machine reports.
pub(super) struct Report<P: Protocol> {
    pub(super) at: Time,
    pub(super) number: u32,
    /// Which of its starts reports it.
    pub(super) epoch: u32,
    pub(super) what: What<P>,
}

pub(super) enum What<P: Protocol> {
    /// It handles a message, which came from this machine.
    Message(u32, P::Message),
    /// Its node told this. With the node as it is then, where that may have changed.
    Event(Event<P::Told>, Option<Box<P>>),
    /// What the node with this id has changed is on its disk.
    Committed(Id, Box<Batch>),
    /// Its disk broke, and with it the program.
    Broke,
    /// Its program has ended.
    Ended(Ended),
    /// Its program could not start.
    Failed(String),
}

impl<P: Protocol> Clone for Reports<P> {
    fn clone(&self) -> Reports<P> {
        Reports(Arc::clone(&self.0))
    }
}

impl<P: Protocol> Default for Reports<P> {
    fn default() -> Reports<P> {
        Reports(Arc::default())
    }
}

impl<P: Protocol> Reports<P> {
    /// Adds one, of now.
    pub(super) fn add(&self, number: u32, epoch: u32, what: What<P>) {
        let report = Report {
            at: now(),
            number,
            epoch,
            what,
        };
        let mut reports = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        reports.push(report);
    }

    /// Takes out all. Each machine has reported in the order of its own time; among what happened
    /// at one time, the order of the machines stays.
    pub(super) fn take(&self) -> Vec<Report<P>> {
        let mut reports = mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        reports.sort_by_key(|report| report.at);
        reports
    }
}
