//! Look-ups: whom they ask and when they end (I. Stoica et al., *Chord: A Scalable Peer-to-peer
//! Lookup Protocol for Internet Applications*, IEEE/ACM Transactions on Networking 11(1), 2003,
//! section IV; with backtracking, as `core/src/chord/op/lookup.rs` tells it).
//!
//! A look-up has one question open at a time, and asks the next node in the same breath in which it
//! hears of the last: so the questions about a key that follow from each other are one look-up's.

use std::collections::VecDeque;

use cuerda_core::chord::limits;
use cuerda_core::protocol::RequestId;
use cuerda_core::ring::{BITS, Id, KeyRange, Peer};

use super::act::{Act, Answer, Ask, Given, Told};
use super::{Case, short};

/// A look-up under way, as far as its questions show it.
#[derive(Clone, Debug)]
struct Chain {
    key: Id,
    /// The finger that it refreshes.
    suspect: Option<Id>,
    /// The number of its open question.
    number: u32,
    /// Whom it asked, and whether they answered.
    asked: Vec<(Id, bool)>,
    /// Nodes that were named to it as nearer, and that it has not asked.
    known: Vec<Id>,
    /// Somebody has answered for whom a nearer one is asked: then silence may end it.
    claimed: bool,
}

/// The look-ups of a node.
#[derive(Clone, Debug, Default)]
pub(super) struct Chains {
    open: Vec<Chain>,
    /// How often in a row its finger timer was due, and nothing was looked up.
    idle: u8,
    /// Those that it lately took for dead, or that left.
    gone: VecDeque<Id>,
}

/// As often in a row a finger timer may be due for nothing: points that the node itself owns are not
/// looked up.
const IDLE: u8 = 40;
/// As many of those that are gone are kept in mind.
const GONE: usize = 64;

/// As many names are kept: a look-up forgets those farthest from the key.
const KNOWN: usize = 16;

impl Chains {
    /// How many are under way.
    pub(super) fn open(&self) -> usize {
        self.open.len()
    }

    /// Judges what the look-ups did. Says who owns the node's own place, if one has just found that
    /// out.
    pub(super) fn judge(&mut self, case: &mut Case<'_>) -> Option<Id> {
        answers_for_its_own(case);
        self.refreshes(case);
        self.hears_of_the_gone(case);
        let settled = self.settled(case.act);
        let ended = settled.map(|at| self.open.swap_remove(at));
        let goes_on = ended.as_ref().and_then(|chain| next(case.act, chain.key));
        let mut home = None;
        let owner_known = match (ended, goes_on) {
            (Some(mut chain), goes_on) => {
                let must = chain.hear(case, goes_on.is_some());
                if let (Some(why), None) = (must, goes_on) {
                    case.breach(why.0, why.1);
                }
                let owner = chain.answered_by(case.act);
                if owner.is_some() && chain.key == case.me.id {
                    home = owner;
                }
                if let Some((to, id)) = goes_on {
                    chain.ask(case, to, id.number);
                    self.open.push(chain);
                    None
                } else {
                    self.drops_silent_fingers(case, &chain);
                    Some(chain)
                }
            }
            _ => None,
        };
        self.names(case, owner_known.as_ref());
        self.begin(case.me.id, case.act, goes_on.map(|(_, id)| id.number));
        home
    }

    /// Fingers are looked up again and again.
    fn refreshes(&mut self, case: &mut Case<'_>) {
        let me = case.me.id;
        let refreshes = |ask: &Ask| matches!(ask, Ask::Find { key, .. } if is_finger_of(me, *key));
        if case.act.asked().any(|(_, _, ask)| refreshes(ask)) {
            self.idle = 0;
        } else if case.act.input == Given::FingersDue {
            let last = case.after.successors().last();
            let reach = last.and_then(|last| case.me.id.distance_to(last.id).log2());
            let busy = !self.open.is_empty();
            // Beyond the successors there must be somebody else to point to.
            let beyond = reach.filter(|reach| reach + 2 < BITS);
            let beyond = beyond.map(|reach| case.me.id.plus_power(reach + 1));
            if !busy && beyond.is_some_and(|point| !case.after.own().contains(point)) {
                self.idle = self.idle.saturating_add(1);
            }
            if self.idle == IDLE {
                let detail = format!("has looked up no finger, though it was due {IDLE} times");
                case.breach("fingers-unrefreshed", detail);
            }
        }
    }

    fn hears_of_the_gone(&mut self, case: &Case<'_>) {
        let dead = case.act.told.iter().filter_map(|told| match told {
            Told::Dead(peer) => Some(*peer),
            _ => None,
        });
        self.gone.extend(dead);
        if let Some((from, _, Ask::Leaving { .. })) = case.act.question() {
            self.gone.push_back(from.id);
        }
        while self.gone.len() > GONE {
            self.gone.pop_front();
        }
    }

    /// A finger that is silent when it is refreshed is taken out of the table.
    fn drops_silent_fingers(&self, case: &mut Case<'_>, chain: &Chain) {
        let Some(finger) = chain.suspect.filter(|finger| !chain.has_answered(*finger)) else {
            return;
        };
        let named = chain.answered_by(case.act);
        if named.is_some_and(|owner| owner != finger) && !self.gone.contains(&finger) {
            let detail = format!(
                "keeps {} among its fingers, which was silent",
                short(finger)
            );
            case.breach("dead-finger-kept", detail);
        }
    }

    /// The look-up whose question has been answered, or is not waited for any longer.
    fn settled(&self, act: &Act) -> Option<usize> {
        let number = match (&act.input, act.reply()) {
            (Given::Late(number), _) => *number,
            (_, Some((_, id, _))) if !act.ignored => id.number,
            _ => return None,
        };
        let again = act.asked().any(|(_, id, _)| id.number == number);
        let at = self.open.iter().position(|chain| chain.number == number);
        at.filter(|_| !again)
    }

    /// Whoever a look-up names as the owner has said so.
    fn names(&self, case: &mut Case<'_>, ended: Option<&Chain>) {
        for told in &case.act.told {
            let Told::Owner(key, owner) = *told else {
                continue;
            };
            let heard = ended.is_some_and(|chain| chain.key == key && chain.has_answered(owner));
            if owner != case.me.id && !heard {
                let detail = format!(
                    "named {} as the owner of {}, which it had not asked",
                    short(owner),
                    short(key)
                );
                case.breach("owner-unconfirmed", detail);
            }
        }
    }

    /// Questions that follow from none begin a look-up.
    fn begin(&mut self, me: Id, act: &Act, but: Option<u32>) {
        for (to, id, ask) in act.asked() {
            let known = self.open.iter().any(|chain| chain.number == id.number);
            if let Ask::Find { key, confirm } = ask
                && Some(id.number) != but
                && !known
            {
                // Only the refresh of a finger begins with the one that it suspects.
                let is_finger = *confirm && is_finger_of(me, *key);
                self.open.push(Chain {
                    suspect: is_finger.then_some(to.id),
                    key: *key,
                    number: id.number,
                    asked: vec![(to.id, false)],
                    known: Vec::new(),
                    claimed: false,
                });
            }
        }
    }
}

/// Whether a node looks this point up for its finger table.
fn is_finger_of(me: Id, point: Id) -> bool {
    let exponent = me.distance_to(point).log2();
    exponent.is_some_and(|exponent| me.plus_power(exponent) == point)
}

/// The question about this key that was asked now.
fn next(act: &Act, key: Id) -> Option<(Peer, RequestId)> {
    let mut asked = act.asked();
    let found = asked.find(|(_, _, ask)| matches!(ask, Ask::Find { key: of, .. } if *of == key));
    found.map(|(to, id, _)| (to, id))
}

impl Chain {
    fn has_answered(&self, peer: Id) -> bool {
        self.asked.contains(&(peer, true))
    }

    fn was_asked(&self, peer: Id) -> bool {
        self.asked.iter().any(|(id, _)| *id == peer)
    }

    fn ask(&mut self, case: &mut Case<'_>, to: Peer, number: u32) {
        if self.has_answered(to.id) {
            let detail = format!(
                "asked {} for {} again, which had answered",
                short(to.id),
                short(self.key)
            );
            case.breach("asked-twice", detail);
        }
        if !self.was_asked(to.id) {
            self.asked.push((to.id, false));
        }
        self.known.retain(|id| *id != to.id);
        self.number = number;
    }

    /// Who says that the key is its own.
    fn answered_by(&self, act: &Act) -> Option<Id> {
        match act.reply() {
            Some((from, _, Answer::Owner)) => Some(from.id),
            _ => None,
        }
    }

    /// Takes in what came. If the look-up must go on because of it: the rule, and what it says of
    /// one that does not.
    fn hear(&mut self, case: &Case<'_>, goes_on: bool) -> Option<(&'static str, String)> {
        let (me, key) = (case.me.id, self.key);
        let full = self.asked.len() >= limits::LOOKUP_ASKS;
        let Some((from, _, answer)) = case.act.reply() else {
            let next = self.known.iter().find(|id| **id != me);
            let detail = next.map(|next| {
                format!(
                    "gave up a look-up at a silence, though {} was left to ask",
                    short(*next)
                )
            });
            return detail
                .filter(|_| !goes_on && !full && !self.claimed)
                .map(|detail| ("look-up-given-up", detail));
        };
        if *answer == Answer::NotMember {
            return None;
        }
        for asked in &mut self.asked {
            asked.1 |= asked.0 == from.id;
        }
        self.claimed |= matches!(answer, Answer::Before(_));
        let is_new = |peer: &Peer| peer.id != me && !self.was_asked(peer.id);
        match answer {
            Answer::Before(nearer) => {
                let lies_there =
                    nearer.id == key || KeyRange::new(key, from.id).contains(nearer.id);
                let must = lies_there && nearer.id != from.id && is_new(nearer) && !full;
                must.then(|| {
                    let detail = format!(
                        "took {} for the owner of {} and did not ask {}, which it names as nearer",
                        short(from.id),
                        short(key),
                        short(nearer.id)
                    );
                    ("nearer-owner-unasked", detail)
                })
            }
            Answer::Covered(list) => {
                let behind = |peer: &&Peer| KeyRange::new(from.id, peer.id).contains(key);
                let first = list.iter().find(behind).map(|peer| peer.id);
                let owner = list
                    .iter()
                    .find(|peer| behind(peer) && (is_new(peer) || peer.id == me))
                    .filter(|peer| peer.id != me)
                    .copied();
                let before = list.iter().take_while(|peer| !behind(peer));
                let known: Vec<Id> = before.filter(|peer| is_new(peer)).map(|it| it.id).collect();
                self.learn(known);
                // What it takes for its own by now may be its own.
                self.claimed |= list.iter().any(|peer| behind(&peer) && peer.id == me);
                let owner = owner.filter(|_| !full && first != Some(me))?;
                let detail = format!(
                    "ended a look-up of {} without asking {}, the first at or after it",
                    short(key),
                    short(owner.id)
                );
                Some(("owner-unconfirmed", detail))
            }
            Answer::Closer(peers) => {
                let such = |peer: &&Peer| peer.id.is_between(from.id, key) && is_new(peer);
                let known: Vec<Id> = peers.iter().filter(such).map(|peer| peer.id).collect();
                self.learn(known.clone());
                let next = known.first().filter(|_| !full)?;
                let detail = format!(
                    "gave up a look-up, though {} was named as nearer to {}",
                    short(*next),
                    short(key)
                );
                Some(("look-up-given-up", detail))
            }
            _ => None,
        }
    }

    fn learn(&mut self, named: Vec<Id>) {
        self.known.extend(named);
        let spare = self.known.len().saturating_sub(KNOWN);
        self.known.drain(..spare);
    }
}

/// What a node says of its own keys is what it then takes for its own.
fn answers_for_its_own(case: &mut Case<'_>) {
    let Some((_, id, Ask::Find { key, .. })) = case.act.question() else {
        return;
    };
    let key = *key;
    let own = case.before.own().contains(key);
    let said = case.act.answered().find(|(_, of, _)| *of == id);
    let says = match said {
        Some((_, _, Answer::Owner)) => true,
        Some((_, _, Answer::Before(_) | Answer::Covered(_) | Answer::Closer(_))) => false,
        _ => return,
    };
    if own != says {
        let not = if says { "" } else { " not" };
        let detail = format!(
            "said that {} is{not} its own, though its predecessor is {}",
            short(key),
            short(case.before.predecessor().id)
        );
        case.breach("false-owner", detail);
    }
}
