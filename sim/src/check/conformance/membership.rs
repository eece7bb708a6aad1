//! Into a ring, back into it and out of it: joining (P. Zave, IEEE TSE 43(12), 2017, section IV),
//! founding, leaving (I. Stoica et al., IEEE/ACM Transactions on Networking 11(1), 2003, section
//! IV-E), and what tells one
//! life of a node from the next.

use cuerda_core::chord::limits::ALONE_AFTER;
use cuerda_core::ring::{Id, Peer};

use super::act::{Act, Answer, Ask, Given, Said};
use super::steps::follows;
use super::{Case, short};
use crate::world::Time;

/// How many times `found_after` a node waits longer for each that should found before it.
const LONGER: u128 = 4;

/// A node's life between two starts, and what is known of those before.
#[derive(Clone, Debug, Default)]
pub(super) struct Life {
    /// The incarnation in the ids of its requests; `None` before the first.
    origin: Option<u32>,
    /// The highest of its earlier lives.
    earlier: Option<u32>,
    /// When it was told to join.
    joining_since: Option<Time>,
    /// Who answered in this round and is no member either.
    outside: Vec<Id>,
    /// Whom it asked on its way back; `None` while it is not stranded.
    retreat: Option<Vec<Id>>,
    leaves_since: Option<Time>,
}

impl Life {
    /// Since when it has been told to leave.
    pub(super) const fn asked_to_leave(&self) -> Option<Time> {
        self.leaves_since
    }

    pub(super) fn judge(&mut self, case: &mut Case<'_>) {
        self.begins(case);
        self.counts_its_lives(case);
        self.forgets_earlier_ones(case);
        self.hears(case.act);
        if case.act.joined {
            self.joins(case);
        }
        if case.act.left {
            tells_both(case);
        }
        self.goes_back(case.act);
    }

    /// Whoever is told to join or to found has just been started.
    fn begins(&mut self, case: &Case<'_>) {
        match case.act.input {
            Given::Found | Given::Join => {
                let earlier = self.origin.max(self.earlier);
                let joins = case.act.input == Given::Join;
                *self = Life {
                    earlier,
                    joining_since: joins.then_some(case.now),
                    ..Life::default()
                };
            }
            Given::Leave => self.leaves_since = self.leaves_since.or(Some(case.now)),
            Given::JoinDue => self.outside.clear(),
            _ => {}
        }
    }

    /// Each start has a greater number, so that replies to an earlier one are recognized.
    fn counts_its_lives(&mut self, case: &mut Case<'_>) {
        let mut origins = case.act.asked().map(|(_, id, _)| id.origin.number());
        let Some(origin) = origins.next() else { return };
        let new = self.origin != Some(origin);
        if new && (self.earlier.is_some_and(|earlier| origin <= earlier) || self.origin.is_some()) {
            let before = self.origin.or(self.earlier).unwrap_or_default();
            let detail =
                format!("asks as incarnation {origin} after it has asked as incarnation {before}");
            case.breach("incarnation-not-increased", detail);
        }
        self.origin = Some(origin);
    }

    fn forgets_earlier_ones(&self, case: &mut Case<'_>) {
        // Nobody has seen what a node asked that ran before it was watched.
        let watched = self.origin.or(self.earlier).is_some();
        if let Some((from, id, _)) = case.act.reply()
            && Some(id.origin.number()) != self.origin
            && !case.act.ignored
            && watched
        {
            let detail = format!(
                "took a reply of {} to a request of incarnation {} for one to its own",
                short(from.id),
                id.origin.number()
            );
            case.breach("earlier-reply", detail);
        }
    }

    fn hears(&mut self, act: &Act) {
        if let Some((from, _, Answer::Joining(hello))) = act.reply()
            && !hello.member
            && !self.outside.contains(&from.id)
        {
            self.outside.push(from.id);
        }
    }

    // ---- coming in ----

    fn joins(&self, case: &mut Case<'_>) {
        if case.after.successors().is_empty() {
            return self.founds(case);
        }
        let successor = case.after.successor();
        if !case.act.asked_neighbours_of(successor.id) {
            let detail = format!(
                "became a member and did not stabilize with {} at once",
                short(successor.id)
            );
            case.breach("joiner-waits", detail);
        }
        match &self.retreat {
            Some(asked) => returns(case, asked),
            None => takes_its_place(case),
        }
    }

    fn founds(&self, case: &mut Case<'_>) {
        if case.act.stranded {
            let detail = "founded a ring of its own when its successors were silent".to_owned();
            return case.breach("founds-own-ring", detail);
        }
        let Some(since) = self
            .joining_since
            .filter(|_| case.act.input != Given::Found)
        else {
            return;
        };
        let me = case.me.id;
        let lower = self.outside.iter().filter(|other| **other < me);
        // The pauses between its rounds are half as long as planned, if chance will have it so.
        let waited = u128::from(case.now - since);
        let turn = match self.outside.is_empty() {
            // To whom nobody answers may only be cut off.
            true => u128::from(ALONE_AFTER),
            false => 1 + LONGER * lower.clone().count() as u128,
        };
        if waited >= turn * case.settings.found_after.as_nanos() / 2 {
            return;
        }
        let waited = waited / 1_000_000;
        match lower.min() {
            None => {
                let detail = format!("founded a ring {waited} ms after it began to join");
                case.breach("founds-too-soon", detail);
            }
            Some(lower) => {
                let detail = format!(
                    "founded a ring after {waited} ms, though {} is outside too and has a lower \
                     identifier",
                    short(*lower)
                );
                case.breach("founds-out-of-turn", detail);
            }
        }
    }

    // ---- finding back ----

    fn goes_back(&mut self, act: &Act) {
        if act.stranded {
            self.retreat = Some(Vec::new());
        }
        // Where nobody answers it joins anew.
        if act.joined || act.asked().any(|(_, _, ask)| *ask == Ask::Hello) {
            self.retreat = None;
        }
        if let Some(asked) = &mut self.retreat {
            let neighbours = act.asked().filter(|(_, _, ask)| **ask == Ask::Neighbours);
            asked.extend(neighbours.map(|(to, _, _)| to.id));
        }
    }
}

/// A stranded node goes back from predecessor to predecessor as long as they lie ahead.
fn returns(case: &mut Case<'_>, asked: &[Id]) {
    if let Some((from, _, Answer::Neighbours { predecessor, .. })) = case.act.reply()
        && predecessor.id.is_between(case.me.id, from.id)
        && !asked.contains(&predecessor.id)
    {
        let detail = format!(
            "followed {} without asking {}, which that one names as nearer",
            short(from.id),
            short(predecessor.id)
        );
        case.breach("retreat-stops-short", detail);
    }
}

/// A joiner stands between a member and that one's successor, and takes its list whole, but for an
/// earlier life of its own that is named first.
fn takes_its_place(case: &mut Case<'_>) {
    let Some((member, _, Answer::Neighbours { successors, .. })) = case.act.reply() else {
        return;
    };
    let (me, predecessor) = (case.me.id, case.after.predecessor());
    let successors = match successors.split_first() {
        Some((first, others)) if first.id == me => others,
        _ => &successors[..],
    };
    let head = successors.first().copied().unwrap_or(member);
    if predecessor.id != member.id || !me.is_between(member.id, head.id) {
        let detail = format!(
            "joined behind {}, which has {} for its successor",
            short(member.id),
            short(head.id)
        );
        return case.breach("unbracketed-join", detail);
    }
    let alone: &[Peer] = &[member];
    let whole = if successors.is_empty() {
        alone
    } else {
        successors
    };
    // Its own list is as long as that of its predecessor.
    let room = case.settings.room;
    if !follows(case.after, whole[0], &whole[1..], room) {
        let detail = format!(
            "did not take over the list of its predecessor {}",
            short(member.id)
        );
        case.breach("list-not-taken", detail);
    }
    let introduces = (predecessor, Said::Introduce(case.me));
    if predecessor.id != case.after.successor().id && !case.act.sent.contains(&introduces) {
        let detail = format!(
            "joined and said nothing to its predecessor {}",
            short(predecessor.id)
        );
        case.breach("unintroduced", detail);
    }
}

/// A leaver tells both neighbours.
fn tells_both(case: &mut Case<'_>) {
    let me = case.me.id;
    for neighbour in [case.after.successor(), case.after.predecessor()] {
        let told = case
            .act
            .asked()
            .any(|(to, _, ask)| to.id == neighbour.id && matches!(ask, Ask::Leaving { .. }));
        if neighbour.id != me && !told {
            let detail = format!(
                "left and did not tell its neighbour {}",
                short(neighbour.id)
            );
            case.breach("untold-departure", detail);
        }
    }
}
