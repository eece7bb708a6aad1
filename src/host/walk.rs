//! A walk round the ring, from successor to successor: what an operator sees of it.
//!
//! It asks each member for its neighbours, as any node could. The ring changes meanwhile, so the
//! result mixes states of different moments.

use std::collections::BTreeSet;

use super::handle::Handle;
use super::status::{CallError, NodeStatus, Status, Visited, Walk};
use cuerda_core::chord::{LookupError, Membership, Reply, Request};
use cuerda_core::ring::{Id, Peer};

impl Handle {
    /// Walks round the ring and asks every member for its neighbours; at most `most` of them.
    ///
    /// # Errors
    /// If the host has stopped or belongs to no ring. A silent member is no error: it is told
    /// in the walk.
    pub async fn walk(&self, most: usize) -> Result<Walk, CallError> {
        walk(self, most).await
    }

    /// The processes that hold a key, its owner first: the owner and the next members after it
    /// that belong to other processes, `count` in all or as many as there are.
    ///
    /// # Errors
    /// As [`Handle::lookup`] and [`Handle::ask`].
    pub async fn holders(&self, key: Id, count: usize) -> Result<Vec<Peer>, CallError> {
        holders(self, key, count).await
    }
}

async fn walk(handle: &Handle, most: usize) -> Result<Walk, CallError> {
    let status = handle.status().await?;
    let own = |id: Id| status.nodes.iter().find(|node| node.id == id);
    let first = status
        .nodes
        .iter()
        .find(|node| node.standing == Membership::Member);
    let first = first.ok_or(LookupError::NotMember)?;
    let address = first_address(&status.address);
    let mut peer = Peer {
        id: first.id,
        address: address.unwrap_or(first.predecessor.address),
    };
    let (mut members, mut seen, mut closed) = (Vec::new(), BTreeSet::new(), false);
    let mut alternatives: Vec<Peer> = Vec::new();
    while members.len() < most {
        if !seen.insert(peer.id) {
            closed = peer.id == first.id;
            break;
        }
        let tables = match own(peer.id) {
            Some(node) => Some((node.predecessor, node.successors.clone())),
            None => neighbours(handle, peer).await?,
        };
        let visited = match tables {
            Some((predecessor, successors)) => {
                alternatives.clone_from(&successors);
                Visited {
                    peer,
                    predecessor: Some(predecessor),
                    successors,
                    faults: Vec::new(),
                }
            }
            None => Visited {
                peer,
                predecessor: None,
                successors: Vec::new(),
                faults: Vec::new(),
            },
        };
        members.push(visited);
        // Beyond a silent member the walk goes on by the list of the last one that answered.
        let next = alternatives.iter().find(|next| next.id != peer.id);
        let Some(&next) = next else {
            closed = members.len() == 1;
            break;
        };
        alternatives.retain(|other| other.id != next.id);
        peer = next;
    }
    let room = usize::from(first.successors_wanted);
    let unreached = unreached(handle, &status, &members).await?;
    let ideal = closed && judge(&mut members, room, &unreached);
    Ok(Walk {
        members,
        closed,
        ideal,
    })
}

fn first_address(text: &str) -> Option<cuerda_core::ring::Address> {
    text.parse::<std::net::SocketAddr>().ok().map(Into::into)
}

/// Who is named as a predecessor, is in no list, and can't be reached where he says that he is.
async fn unreached(
    handle: &Handle,
    status: &Status,
    members: &[Visited],
) -> Result<BTreeSet<Id>, CallError> {
    let known = status.out_of_reach.iter().flat_map(|wrong| &wrong.others);
    let mut unreached: BTreeSet<Id> = known.map(|other| other.peer.id).collect();
    let walked: BTreeSet<Id> = members.iter().map(|member| member.peer.id).collect();
    let own = status.nodes.iter().map(|node| node.id);
    let asked: BTreeSet<Id> = walked.into_iter().chain(own).collect();
    for predecessor in members.iter().filter_map(|member| member.predecessor) {
        if !asked.contains(&predecessor.id)
            && !unreached.contains(&predecessor.id)
            && neighbours(handle, predecessor).await?.is_none()
        {
            unreached.insert(predecessor.id);
        }
    }
    Ok(unreached)
}

/// What a peer says of its neighbours; `None` if it does not answer, or is no member.
async fn neighbours(handle: &Handle, peer: Peer) -> Result<Option<(Peer, Vec<Peer>)>, CallError> {
    match handle.ask(peer, Request::Neighbours).await {
        Ok(Reply::Neighbours {
            predecessor,
            successors,
        }) => Ok(Some((predecessor, successors.to_vec()))),
        Ok(_) | Err(CallError::Silent(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes down what differs from the ideal ring of these members; true if nothing does.
fn judge(members: &mut [Visited], room: usize, unreached: &BTreeSet<Id>) -> bool {
    let ids: Vec<Id> = members.iter().map(|visited| visited.peer.id).collect();
    let count = ids.len();
    let named: Vec<Option<Peer>> = members.iter().map(|member| member.predecessor).collect();
    for (at, visited) in members.iter_mut().enumerate() {
        if visited.predecessor.is_none() {
            let after = (at + 1) % count;
            let is_heard = named[after].is_some_and(|named| named.id == visited.peer.id);
            visited.faults.push(match is_heard {
                true => format!(
                    "does not answer, though {:.8} has it for its predecessor: it has died just now, or \
                     nobody can connect to it, and it should say by `advertise` where others reach it",
                    ids[after]
                ),
                false => "does not answer".to_owned(),
            });
            continue;
        }
        let before = ids[(at + count - 1) % count];
        let wrong = visited.predecessor.filter(|named| named.id != before);
        visited.faults.extend(wrong.map(|named| {
            if unreached.contains(&named.id) {
                format!(
                    "its predecessor {named} is in nobody's list, since it can't be connected to: it \
                     should say by `advertise` where others reach it"
                )
            } else {
                format!("its predecessor should be {before:.8}")
            }
        }));
        let right: Vec<Id> = (1..=room.min(count - 1))
            .map(|step| ids[(at + step) % count])
            .collect();
        let listed: Vec<Id> = visited.successors.iter().map(|peer| peer.id).collect();
        // Alone, a node is its own successor.
        if count > 1 && listed != right {
            let wrong = listed
                .iter()
                .zip(&right)
                .position(|(one, other)| one != other);
            let at = wrong.unwrap_or(listed.len().min(right.len()));
            visited.faults.push(match right.get(at) {
                Some(id) => format!("its successor {} should be {id:.8}", at + 1),
                None => format!("it lists {} successors, not {}", listed.len(), right.len()),
            });
        }
    }
    members.iter().all(|visited| visited.faults.is_empty())
}

/// The owner of a key and the next members after it, each of another process.
async fn holders(handle: &Handle, key: Id, count: usize) -> Result<Vec<Peer>, CallError> {
    let owner = handle.lookup(key).await?.owner;
    let status = handle.status().await?;
    let own = |id: Id| -> Option<&NodeStatus> { status.nodes.iter().find(|node| node.id == id) };
    let mut holders = vec![owner];
    let mut last = owner;
    // Every list names at least one member beyond the last one, or the circle has come round.
    while holders.len() < count {
        let successors = match own(last.id) {
            Some(node) => node.successors.clone(),
            None => {
                let tables = neighbours(handle, last).await?;
                tables.ok_or(CallError::Silent(last))?.1
            }
        };
        let Some(&end) = successors.last() else { break };
        for peer in &successors {
            let new = holders.iter().all(|holder| holder.address != peer.address);
            if new && holders.len() < count {
                holders.push(*peer);
            }
        }
        let round = end.id == owner.id || owner.id.is_between(last.id, end.id);
        if round || end.id == last.id {
            break;
        }
        last = end;
    }
    Ok(holders)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cuerda_core::ring::test_peers::{peer, peers};

    /// Four members that list two successors each, as an ideal ring has it.
    fn ring() -> Vec<Visited> {
        let places = [10, 20, 30, 40];
        let at = |index: usize| places[index % 4];
        let visited = |index: usize| Visited {
            peer: peer(at(index)),
            predecessor: Some(peer(at(index + 3))),
            successors: peers(&[at(index + 1), at(index + 2)]),
            faults: Vec::new(),
        };
        (0..4).map(visited).collect()
    }

    /// What is found wrong with the member at 20 after this has been done to it.
    fn faults(spoil: impl FnOnce(&mut Visited)) -> Vec<String> {
        let mut members = ring();
        spoil(&mut members[1]);
        assert!(!judge(&mut members, 2, &BTreeSet::new()));
        for sound in [0, 2, 3] {
            assert_eq!(members[sound].faults, [] as [String; 0]);
        }
        members.swap_remove(1).faults
    }

    #[test]
    fn nothing_is_wrong_with_an_ideal_ring() {
        assert!(judge(&mut ring(), 2, &BTreeSet::new()));
        let alone = Visited {
            peer: peer(10),
            predecessor: Some(peer(10)),
            successors: peers(&[10]),
            faults: Vec::new(),
        };
        assert!(judge(&mut [alone], 2, &BTreeSet::new()));
    }

    #[test]
    fn every_table_that_is_not_as_it_should_be_is_told() {
        let id = |place: u8| peer(place).id;
        assert_eq!(
            faults(|member| member.predecessor = Some(peer(40))),
            [format!("its predecessor should be {:.8}", id(10))]
        );
        assert_eq!(
            faults(|member| member.successors = peers(&[30, 10])),
            [format!("its successor 2 should be {:.8}", id(40))]
        );
        assert_eq!(
            faults(|member| member.successors = peers(&[30])),
            [format!("its successor 2 should be {:.8}", id(40))]
        );
        assert_eq!(
            faults(|member| member.successors = peers(&[30, 40, 10])),
            ["it lists 3 successors, not 2"]
        );
    }

    #[test]
    fn who_can_not_be_reached_is_told_by_who_names_it() {
        let silent = faults(|member| member.predecessor = None);
        assert!(
            silent[0].starts_with("does not answer, though") && silent[0].contains("`advertise`"),
            "{silent:?}"
        );
        let mut dead = ring();
        dead[1].predecessor = None;
        dead[2].predecessor = Some(peer(10));
        assert!(!judge(&mut dead, 2, &BTreeSet::new()));
        assert_eq!(dead[1].faults, ["does not answer"]);
        // One that is in no list.
        let mut hidden = ring();
        hidden[1].predecessor = Some(peer(15));
        assert!(!judge(&mut hidden, 2, &BTreeSet::from([peer(15).id])));
        let told = &hidden[1].faults[0];
        assert!(
            told.contains("nobody's list") && told.contains("`advertise`"),
            "{told}"
        );
    }
}
