//! What nodes tell on their standard output, as the script understands it.
//!
//! Nodes know each other by the addresses that they have on the world's networks; everything above
//! knows machines by the addresses that all worlds share.

use std::net::IpAddr;

use cuerda::host::events::{self, Around};
use cuerda_core::chord::{Event, Node};
use cuerda_core::record::Conflict;
use cuerda_core::ring::{Id, Neighbours, Peer};
use cuerda_core::store::Batch;

use super::{Stage, World};
use crate::world::script;
use crate::world::{Moment, Watcher, address_of};

pub(super) use events::Line;

/// A line that a container has printed; `None` if it is none of the stream's.
///
/// # Errors
/// If it should be one: the program is of another release.
pub(super) fn parse(line: &str) -> Result<Option<Line>, String> {
    if !line.starts_with("{\"at_us\"") {
        return Ok(None);
    }
    let read = serde_json::from_str(line).map(Some);
    read.map_err(|error| format!("{error} in {line}; is its image of this release?"))
}

impl World {
    /// A node told something at its start of this number.
    pub(super) fn line(
        &mut self,
        line: Line,
        number: u32,
        epoch: u32,
        at: Moment,
        watcher: &mut impl Watcher<Node>,
    ) {
        let machine = &mut self.machines[number as usize];
        machine.told = true;
        let runs = machine.up && machine.epoch == epoch;
        let has_disk = machine.epoch == epoch && epoch >= machine.disk_since;
        let event = match line.what {
            events::What::Missed { count } => {
                return self.breaks(format!(
                    "n{number} told {count} things that nobody was quick enough to hear"
                ));
            }
            // What is on a disk stays there when the power goes, but for the disk itself.
            events::What::Committed(_) if !has_disk => return,
            events::What::Committed(committed) => {
                let Some(id) = line.by.map(|by| by.id) else {
                    return;
                };
                return match committed.batch() {
                    Ok(batch) => {
                        self.stored(id, &batch);
                        watcher.committed(at, number, id, &batch);
                    }
                    Err(error) => self.breaks(format!("n{number} stored what can't be: {error}")),
                };
            }
            _ if !runs => return,
            events::What::Started { .. } => return,
            events::What::Joined(around) => {
                self.is_amid(number, &around);
                Event::Joined
            }
            events::What::NeighboursChanged(around) => {
                self.is_amid(number, &around);
                Event::NeighboursChanged
            }
            events::What::Stranded(around) => {
                self.is_amid(number, &around);
                Event::Stranded
            }
            events::What::Leaving(around) => {
                self.is_amid(number, &around);
                Event::Leaving
            }
            events::What::Left(_) => {
                machine.stage = Stage::Ending;
                Event::Left
            }
            events::What::PresumedDead { peer } => Event::PresumedDead(self.known(peer)),
            events::What::Conflict {
                key,
                name,
                kept,
                lost,
            } => {
                let (kept, lost) = (kept.0, lost.0);
                Event::Conflict(key, Conflict { name, kept, lost })
            }
            events::What::SetAside => Event::SetAside,
            events::What::ClockWrong { by_ms } => Event::ClockWrong(by_ms),
            events::What::LeftBehind { records } => Event::LeftBehind { records },
            events::What::Damaged { key } => Event::Damaged(key),
            events::What::Refused { peer, why } => Event::Refused(self.known(peer), why),
            events::What::Ignored { peer, why } => Event::Ignored(self.known(peer), why),
        };
        script::pass_on(self, number, event, at, watcher);
    }

    /// Remembers which stamps a node has on its disk.
    fn stored(&mut self, id: Id, batch: &Batch) {
        for (key, record) in &batch.records {
            if let Some(field) = record.as_ref().and_then(|record| record.field("")) {
                self.stored.insert((id, *key), field.stamp());
            }
        }
    }

    /// A node has these neighbours now.
    fn is_amid(&mut self, number: u32, around: &Around) {
        let predecessor = self.known(around.predecessor);
        let successors: Vec<Peer> = around
            .successors
            .iter()
            .map(|&peer| self.known(peer))
            .collect();
        let room = self.config.successors;
        let machine = &mut self.machines[number as usize];
        let me = machine.neighbours.me();
        machine.neighbours = Neighbours::given(me, predecessor, &successors, room);
        machine.member = true;
    }

    /// A peer by the address that it has in every world.
    pub(super) fn known(&self, peer: Peer) -> Peer {
        let number = match peer.address.ip() {
            IpAddr::V4(ip) => self.layout.number(ip),
            IpAddr::V6(_) => None,
        };
        Peer {
            address: number.map_or(peer.address, address_of),
            ..peer
        }
    }
}
