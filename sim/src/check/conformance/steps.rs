//! Stabilize and rectify, step by step (P. Zave, *Reasoning about Identifier Spaces: How to Make
//! Chord Correct*, IEEE TSE 43(12), 2017, section IV; notifications as corrected in 2018).
//!
//! A step is open from its question until its answer, or the last silence, is applied. Meanwhile a
//! node's neighbours can't change, so they are compared before and after each input.

use cuerda_core::chord::limits;
use cuerda_core::ring::{Id, Neighbours, Peer};

use super::act::{Act, Answer, Ask, Given, Said};
use super::{Case, short};
use crate::world::Time;

/// The question that a step of maintenance waits for.
#[derive(Clone, Copy, Debug)]
struct Open {
    to: Peer,
    number: u32,
    times: u8,
    /// It was asked as the successor, not as somebody who may come before it.
    is_successor: bool,
    /// How often the wait may still be extended, once the peer has said that it is busy.
    waits: Option<u8>,
}

/// What a node is doing about its neighbours.
#[derive(Clone, Debug, Default)]
pub(super) struct Steps {
    stabilizing: Option<Open>,
    pinging: Option<Open>,
    /// Those that said good-bye, as long as they matter.
    leavers: Vec<Leaver>,
    /// When it last asked somebody for his neighbours.
    stabilized: Option<Time>,
}

/// Who said good-bye, and whom it named in its place.
#[derive(Clone, Copy, Debug)]
struct Leaver {
    id: Id,
    predecessor: Id,
    /// The first of its successors.
    next: Option<Id>,
}

/// As many of those who said good-bye are kept in mind.
const LEAVERS: usize = 2 * limits::DELAYED;

/// How the open question ended with this input.
#[derive(Clone, Copy, PartialEq)]
enum End<'a> {
    Open,
    Answered(&'a Answer),
    Silent,
    /// It was given up, and nobody is taken for dead.
    Undecided,
}

impl Open {
    fn end<'a>(&self, act: &'a Act, attempts: u8) -> End<'a> {
        if let Some((from, id, answer)) = act.reply()
            && id.number == self.number
            && from.id == self.to.id
            && !act.ignored
        {
            return match answer {
                Answer::Busy => End::Open,
                Answer::NotMember => End::Silent,
                answer => End::Answered(answer),
            };
        }
        let again = act.asked().any(|(_, id, _)| id.number == self.number);
        match act.input {
            Given::Late(number) if number == self.number && !again => match self.waits {
                Some(0) => End::Undecided,
                Some(_) => End::Open,
                None if self.times >= attempts => End::Silent,
                None => End::Undecided,
            },
            _ => End::Open,
        }
    }
}

impl Open {
    /// The same question after an input that has not ended it.
    fn after(self, act: &Act) -> Open {
        let waits = match (act.reply(), &act.input) {
            (Some((from, id, Answer::Busy)), _)
                if id.number == self.number && from.id == self.to.id =>
            {
                self.waits.or(Some(limits::BUSY_WAITS))
            }
            (_, Given::Late(number)) if *number == self.number => {
                self.waits.map(|waits| waits.saturating_sub(1))
            }
            _ => self.waits,
        };
        Open { waits, ..self }
    }
}

impl Steps {
    /// Whether a step may be open.
    pub(super) const fn is_busy(&self) -> bool {
        self.stabilizing.is_some() || self.pinging.is_some()
    }

    fn has_left(&self, peer: Id) -> bool {
        self.leavers.iter().any(|leaver| leaver.id == peer)
    }

    /// `queries` is how many look-ups are open.
    pub(super) fn judge(&mut self, case: &mut Case<'_>, is_member: bool, queries: usize) {
        if case.act.joined || !is_member {
            *self = Steps::default();
        } else {
            self.hear_leavers(case.act);
            self.says_nothing_meanwhile(case);
            self.successor(case, queries);
            self.predecessor(case);
            self.goes_on(case);
        }
        self.follow(case, is_member);
    }

    /// It can't tell how long it was asleep.
    pub(super) fn paused(&mut self) {
        self.stabilized = None;
    }

    /// A member asks its successor again and again.
    fn goes_on(&mut self, case: &mut Case<'_>) {
        let asks = case.act.asked().any(|(_, _, ask)| *ask == Ask::Neighbours);
        let since = *self.stabilized.get_or_insert(case.now);
        let within = case.settings.stabilized_within;
        if asks || case.after.successors().is_empty() {
            self.stabilized = Some(case.now);
        } else if case.now - since > within {
            self.stabilized = Some(case.now);
            let waited = (case.now - since) / 1_000_000;
            let detail = format!("has asked nobody for his neighbours for {waited} ms");
            case.breach("not-stabilized", detail);
        }
    }

    fn hear_leavers(&mut self, act: &Act) {
        if let Given::Heard(from, Said::Ask(_, Ask::Leaving { predecessor, next })) = &act.input {
            if self.leavers.len() == LEAVERS {
                self.leavers.remove(0);
            }
            self.leavers.push(Leaver {
                id: from.id,
                predecessor: *predecessor,
                next: next.map(|next| next.id),
            });
        }
    }

    /// While a step is open the state is undefined: questions about it wait.
    fn says_nothing_meanwhile(&self, case: &mut Case<'_>) {
        let asked = matches!(case.act.question(), Some((_, _, Ask::Neighbours)));
        let mut answers = case.act.answered().map(|(_, _, answer)| answer);
        let at_once = matches!(answers.next(), Some(Answer::Neighbours { .. }));
        let open = self.stabilizing.or(self.pinging);
        if let (Some(open), true, true) = (open, asked, at_once) {
            let detail = format!(
                "said whom it takes for its neighbours while it waited for {} in a step of its own",
                short(open.to.id)
            );
            case.breach("told-in-step", detail);
        }
    }

    // ---- stabilize ----

    fn successor(&self, case: &mut Case<'_>, queries: usize) {
        let (before, after) = (case.before, case.after);
        let (old, new) = (first(before), first(after));
        let end = self
            .stabilizing
            .map_or(End::Open, |open| open.end(case.act, case.settings.attempts));
        if let (
            Some(open),
            End::Answered(Answer::Neighbours {
                predecessor,
                successors,
            }),
        ) = (self.stabilizing, end)
        {
            if open.is_successor {
                self.successor_answered(case, open, *predecessor);
            } else {
                self.candidate_answered(case, open, queries);
            }
            let taken = new == Some(open.to.id);
            // Who has said good-bye meanwhile stands in it no more.
            let room = case.settings.room;
            let heard = successors.iter().take(room.saturating_sub(1));
            let stay: Vec<Peer> = heard.filter(|it| !self.has_left(it.id)).copied().collect();
            if taken
                && !follows(after, open.to, successors, room)
                && !follows(after, open.to, &stay, room)
            {
                let detail = format!(
                    "did not take over the list of its successor {} as that one told it",
                    short(open.to.id)
                );
                case.breach("list-not-taken", detail);
            }
        }
        if let (Some(open), End::Silent) = (self.stabilizing, end)
            && !open.is_successor
            && let Some(successor) = new
            && !case.act.notified(successor)
        {
            let detail = format!(
                "did not notify its successor {} after {} had been silent",
                short(successor),
                short(open.to.id)
            );
            case.breach("unnotified", detail);
        }
        if old != new {
            self.successor_changed(case, old, new, end);
        }
    }

    fn successor_answered(&self, case: &mut Case<'_>, open: Open, predecessor: Peer) {
        let me = case.me.id;
        if predecessor.id.is_between(me, open.to.id) {
            if !case.act.asked_neighbours_of(predecessor.id) {
                let detail = format!(
                    "did not ask {}, which its successor {} names as nearer",
                    short(predecessor.id),
                    short(open.to.id)
                );
                case.breach("nearer-unasked", detail);
            }
        } else if !case.act.notified(open.to.id) {
            let detail = format!("did not notify its successor {}", short(open.to.id));
            case.breach("unnotified", detail);
        }
    }

    fn candidate_answered(&self, case: &mut Case<'_>, open: Open, queries: usize) {
        let (me, old) = (case.me.id, first(case.before));
        if !case.act.notified(open.to.id) {
            let detail = format!("did not notify {}, which it had asked", short(open.to.id));
            case.breach("unnotified", detail);
        }
        let adopted = first(case.after) == Some(open.to.id) && old != Some(open.to.id);
        let Some(displaced) = old.filter(|_| adopted) else {
            return;
        };
        let known = case
            .after
            .successors()
            .iter()
            .any(|peer| peer.id == displaced);
        let asks = case.act.asked().any(|(to, _, ask)| {
            let about = matches!(ask, Ask::Find { key, .. } if *key == displaced);
            about && to.id == open.to.id
        });
        // With as many look-ups under way as may be, it must leave that to the next one.
        let left = self.has_left(displaced);
        if !known && !left && displaced != me && !asks && queries < limits::QUERIES {
            let detail = format!(
                "did not hand {} on to {}, which took its place and does not list it",
                short(displaced),
                short(open.to.id)
            );
            case.breach("not-handed-on", detail);
        }
    }

    fn successor_changed(
        &self,
        case: &mut Case<'_>,
        old: Option<Id>,
        new: Option<Id>,
        end: End<'_>,
    ) {
        let listed = |peer: Id| case.before.successors().iter().any(|it| it.id == peer);
        let dropped = old.filter(|_| new.is_none_or(listed));
        if let Some(dropped) = dropped
            && !self.has_left(dropped)
        {
            let asked = self.stabilizing.filter(|open| open.to.id == dropped);
            if asked.is_none() || end != End::Silent {
                let detail = format!(
                    "dropped its successor {}, which had not been silent as often as it must",
                    short(dropped)
                );
                case.breach("hasty-silence", detail);
            }
        }
        let Some(new) = new else { return };
        if dropped.is_some() {
            if !case.act.notified(new) {
                let gone = dropped.map_or_else(String::new, short);
                let detail = format!(
                    "did not notify {}, its successor since {gone} is gone",
                    short(new)
                );
                case.breach("unnotified", detail);
            }
            return;
        }
        let answered = match case.act.reply() {
            Some((from, _, Answer::Neighbours { successors, .. })) => {
                let behind = !self.leavers.is_empty() && successors.iter().any(|it| it.id == new);
                from.id == new || behind
            }
            _ => false,
        };
        let predecessor = case.after.predecessor().id;
        let named = self.leavers.iter().any(|leaver| match leaver.next {
            Some(next) if next != case.me.id => next == new,
            // It knew of nobody else: whoever has joined between is before this one.
            _ => predecessor == new,
        });
        if !answered && !named {
            let detail = format!(
                "took {} for its successor, which it never asked",
                short(new)
            );
            case.breach("unasked-successor", detail);
        }
    }

    // ---- rectify ----

    fn predecessor(&self, case: &mut Case<'_>) {
        let me = case.me.id;
        let (old, new) = (case.before.predecessor().id, case.after.predecessor().id);
        if old == new {
            return self.unchecked(case, old);
        }
        if new == me {
            // Whoever left may have had nobody else before it.
            let mut leavers = self.leavers.iter();
            let named = leavers.any(|leaver| leaver.id == old && leaver.predecessor == me);
            if !case.after.successors().is_empty() && !named {
                let detail = format!(
                    "has no predecessor any more after {}, though it is not alone",
                    short(old)
                );
                case.breach("predecessor-forgotten", detail);
            }
            return;
        }
        let is_silent = |open: Open| {
            let end = open.end(case.act, case.settings.attempts);
            open.to.id == old && end == End::Silent
        };
        let nearer = new.is_between(old, me);
        if !nearer && !self.has_left(old) && !self.pinging.is_some_and(is_silent) {
            let detail = format!(
                "took {} for its predecessor instead of {}, which is nearer and has not been silent",
                short(new),
                short(old)
            );
            case.breach("unpinged-predecessor", detail);
        }
    }

    /// A farther notifier is a reason to ping the predecessor.
    fn unchecked(&self, case: &mut Case<'_>, predecessor: Id) {
        let Given::Heard(from, Said::Notify) = &case.act.input else {
            return;
        };
        let me = case.me.id;
        let farther = from.id != predecessor && !from.id.is_between(predecessor, me);
        let pings = case
            .act
            .asked()
            .any(|(to, _, ask)| to.id == predecessor && *ask == Ask::Ping);
        if farther && from.id != me && predecessor != me && !self.is_busy() && !pings {
            let detail = format!(
                "was notified by {} and did not ping its predecessor {}",
                short(from.id),
                short(predecessor)
            );
            case.breach("predecessor-unchecked", detail);
        }
    }

    // ---- what is open after this ----

    fn follow(&mut self, case: &Case<'_>, is_member: bool) {
        let attempts = case.settings.attempts;
        let goes_on = |open: Open| {
            let is_open = open.end(case.act, attempts) == End::Open;
            is_open.then(|| open.after(case.act))
        };
        self.stabilizing = self.stabilizing.and_then(goes_on);
        self.pinging = self.pinging.and_then(goes_on);
        // Whoever had to wait was answered: the step was given up.
        let asked = matches!(case.act.question(), Some((_, _, Ask::Neighbours)));
        let answers = case.act.answered();
        let told = answers.filter(|(_, _, answer)| matches!(answer, Answer::Neighbours { .. }));
        if told.count() > usize::from(asked && !self.is_busy()) {
            self.stabilizing = None;
        }
        if !is_member {
            return;
        }
        for (to, id, ask) in case.act.asked() {
            let open = match ask {
                Ask::Neighbours => &mut self.stabilizing,
                Ask::Ping => &mut self.pinging,
                _ => continue,
            };
            let times = match open {
                Some(same) if same.number == id.number => same.times + 1,
                _ => 1,
            };
            let waits = open.filter(|same| same.number == id.number);
            *open = Some(Open {
                to,
                number: id.number,
                times,
                is_successor: first(case.after) == Some(to.id),
                waits: waits.and_then(|same| same.waits),
            });
        }
        // A leaver matters until it is nobody's neighbour.
        let after = case.after;
        self.leavers.retain(|leaver| {
            let id = leaver.id;
            after.predecessor().id == id || after.successors().iter().any(|it| it.id == id)
        });
    }
}

fn first(neighbours: &Neighbours) -> Option<Id> {
    neighbours.successors().first().map(|peer| peer.id)
}

/// Whether a node's list is its successor and then what that one's list begins with.
pub(super) fn follows(after: &Neighbours, head: Peer, theirs: &[Peer], room: usize) -> bool {
    let mut last = head.id;
    let me = after.me().id;
    let rest = theirs
        .iter()
        .take(room.saturating_sub(1))
        .take_while(|peer| {
            let goes_on = peer.id.is_between(last, me);
            last = peer.id;
            goes_on
        });
    let own = after.successors();
    own.first().is_some_and(|first| first.id == head.id)
        && own[1..]
            .iter()
            .map(|peer| peer.id)
            .eq(rest.map(|peer| peer.id))
}
