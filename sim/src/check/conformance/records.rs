//! Stamps and clocks, and who may serve an arc: the promises on which acknowledged writes rest
//! (`core/src/chord/records/mod.rs` and `core/src/record/stamp.rs`).

use std::collections::BTreeSet;

use cuerda_core::chord::Claimed;
use cuerda_core::protocol::RequestId;
use cuerda_core::record::{Stamp, limits::SKEW_MAX};
use cuerda_core::ring::{Address, Id, KeyRange, Peer};

use super::act::{Act, Answer, Ask, Given, OfRecords, Said, ToRecords, Told};
use super::copies::Copies;
use super::{Breach, Case, short};
use crate::world::Time;

/// What a node is known to do about records.
#[derive(Clone, Debug, Default)]
pub(super) struct Serving {
    /// Its part in serving keys.
    part: Part,
    /// The arc that it claims, from whom it has compared it since, and who stood behind it then.
    claim: Option<Claim>,
    /// The arc that it has let go of, and the number of the request that says so, until that one is
    /// answered.
    let_go: Option<(KeyRange, u32)>,
    /// The highest epoch that it has told, and the last arc that it took over.
    epoch: u64,
    taken: Option<(KeyRange, u64)>,
    /// Writes that others asked of it.
    writes: Vec<(Id, RequestId, Id)>,
    /// The clock that it last told, and the highest that it must have heard.
    clock: Option<Stamp>,
    heard: Option<Stamp>,
    /// The highest stamp that it issued, in this life and in all before.
    issued: Option<Stamp>,
    issued_before: Option<Stamp>,
    /// The predecessor for which it has promised to stay.
    stays_for: Option<Id>,
    /// It hands over, has handed over what it served, and has asked whether its copies are safe.
    leaving: bool,
    handed: bool,
    confirms: bool,
    /// Somebody has set its clock, or its disk keeps messages back: then less can be told.
    clock_is_off: bool,
    disk_is_slow: bool,
    /// Somebody has shown it a clock in this life.
    is_shown_clocks: bool,
}

/// How far a node is with serving its arc.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Part {
    /// It joined, and has neither claimed nor been given anything.
    #[default]
    Nothing,
    /// It has claimed its arc, or was given it.
    Claims,
    /// It has served a key.
    Serves,
}

#[derive(Clone, Debug)]
struct Claim {
    arc: KeyRange,
    /// What was said last: somebody else serves it, or nobody.
    by: Option<Claimed>,
    compared: BTreeSet<Address>,
    behind: BTreeSet<Address>,
}

/// As many writes of others are kept in mind.
const WRITES: usize = 256;

impl Serving {
    /// It was a member from the beginning, and serves what lies before it.
    pub(super) fn begins_with_its_own(&mut self) {
        self.part = Part::Claims;
    }

    /// Its process starts anew.
    pub(super) fn starts(&mut self) {
        self.stopped();
        self.issued_before = self.issued_before.max(self.issued.take());
        (self.clock, self.heard, self.epoch, self.taken) = (None, None, 0, None);
        (self.leaving, self.handed, self.confirms) = (false, false, false);
        self.is_shown_clocks = false;
    }

    /// It is no member any more.
    pub(super) fn stopped(&mut self) {
        self.part = Part::Nothing;
        (self.claim, self.let_go) = (None, None);
        (self.stays_for, self.leaving) = (None, false);
        self.writes.clear();
    }

    /// With its disk it lost what it knew of its own stamps.
    pub(super) fn disk_lost(&mut self) {
        (self.issued, self.issued_before) = (None, None);
    }

    pub(super) const fn clock_is_off(&mut self) {
        self.clock_is_off = true;
    }

    pub(super) const fn disk_is_slow(&mut self) {
        self.disk_is_slow = true;
    }

    pub(super) const fn is_disk_slow(&self) -> bool {
        self.disk_is_slow
    }

    /// `leaves_since` is when it was told to leave.
    pub(super) fn judge(
        &mut self,
        case: &mut Case<'_>,
        leaves_since: Option<Time>,
        copies: &Copies,
    ) {
        if case.act.joined || case.act.stranded {
            self.stopped();
        }
        if case.act.input == Given::Leave {
            self.let_go = None;
        }
        if matches!(case.act.input, Given::Found) || case.act.joined && is_alone(case) {
            self.part = Part::Claims;
        }
        self.hears(case.me.id, case.act);
        self.keeps_time(case);
        self.issues(case, copies);
        self.serves(case);
        self.takes_over(case);
        damaged(case);
        self.leaves(case, leaves_since, !copies.is_empty());
    }

    // ---- what it is told ----

    fn hears(&mut self, me: Id, act: &Act) {
        self.is_shown_clocks |= act.shows.is_some();
        if let Some((from, id, Ask::Records(_, OfRecords::Write { key, .. }))) = act.question() {
            if self.writes.len() == WRITES {
                self.writes.remove(0);
            }
            self.writes.push((from.id, id, *key));
        }
        let tells = |number: u32| act.asked().any(|(_, id, _)| id.number == number);
        if let Given::Late(number) = act.input
            && !tells(number)
        {
            self.takes_back(number);
        }
        let Some((_, id, answer)) = act.reply().filter(|_| !act.ignored) else {
            return;
        };
        match answer {
            Answer::Records(_, ToRecords::Claimed(by, _)) => {
                if let Some(claim) = &mut self.claim {
                    claim.by = Some(*by);
                }
            }
            Answer::Records(_, ToRecords::Superseded(_)) => {
                // Somebody else owns what it served; a leaver must come to serve anew.
                self.part = Part::Claims;
                self.let_go = None;
                self.leaving = false;
            }
            Answer::Records(_, ToRecords::Stays(true)) => {
                let hands_over = |(_, _, ask): (Peer, RequestId, &Ask)| {
                    let own = |arc: &KeyRange| arc.end == me;
                    matches!(ask, Ask::Records(_, OfRecords::Compare { arc, .. }) if own(arc))
                };
                self.leaving |= act.asked().any(hands_over);
            }
            Answer::Records(_, ToRecords::Taken) => {
                // A leaver's own arc ends at itself, that of a newcomer before it.
                let own = self.let_go.take().is_some_and(|(arc, _)| arc.end == me);
                self.part = Part::Claims;
                self.handed |= own;
            }
            _ => self.takes_back(id.number),
        }
    }

    /// Nobody took what it let go of: it serves that again, in a later epoch.
    fn takes_back(&mut self, number: u32) {
        if self.let_go.is_some_and(|(_, of)| of == number) {
            (self.claim, self.let_go) = (None, None);
        }
    }

    // ---- clocks ----

    /// What it has heard it does not fall behind, nor behind what it has told.
    fn keeps_time(&mut self, case: &mut Case<'_>) {
        let clocks = case.act.sent.iter().filter_map(|(_, said)| clock(said));
        let told: Vec<Stamp> = clocks.filter(|clock| *clock != Stamp::ZERO).collect();
        let answers = case.act.answered();
        let answers = answers.filter(|(_, _, answer)| matches!(answer, Answer::Records(..)));
        if let (Given::Heard(_, said @ Said::Ask(..)), true) =
            (&case.act.input, answers.count() > 0)
        {
            // Whoever answers a question about records has taken in its clock.
            // That is, unless it is so far ahead that it is left alone.
            let most = case.wall_clock() + SKEW_MAX / 2;
            let near = clock(said).filter(|clock| clock.milliseconds <= most);
            self.heard = self.heard.max(near);
        }
        for told in told {
            let behind = self.clock.max(self.heard).filter(|known| told < *known);
            if let (Some(known), false) = (behind, self.clock_is_off) {
                let detail = format!("says that its clock is at {told}, and has known of {known}");
                case.breach("clock-falls", detail);
            }
            self.clock = Some(told);
        }
    }

    /// No stamp is issued twice, also not in another life. One that is far ahead follows what is there,
    /// and not the node's clock; what the node has on its disk it may bring to others again.
    fn issues(&mut self, case: &mut Case<'_>, copies: &Copies) {
        let me = case.me.id;
        let far = case.wall_clock() + SKEW_MAX + SKEW_MAX / 10;
        let stamps: Vec<Stamp> = case
            .act
            .asked()
            .filter_map(|(_, _, ask)| match ask {
                Ask::Records(_, OfRecords::Write { stamp, .. }) => Some(*stamp),
                Ask::Records(_, OfRecords::Store { key, stamp, .. }) => {
                    stamp.filter(|_| copies.stamp(*key) != *stamp)
                }
                _ => None,
            })
            .filter(|stamp| stamp.node == me && stamp.milliseconds <= far)
            .collect();
        for stamp in stamps {
            let falls = |before: &Stamp| stamp <= *before && !self.gives_up(*before, stamp);
            if let Some(before) = self.issued_before.filter(falls) {
                let detail =
                    format!("issued {stamp}, though in an earlier life it issued {before}");
                case.breach("stamps-fall", detail);
            }
            self.issued = self.issued.max(Some(stamp));
        }
    }

    /// Whether it may have given an earlier stamp up, for a later one that is no lower than its clock
    /// shows: who finds what it has issued too far ahead of a clock that was set, and that another
    /// agrees with, takes the earlier time for wrong.
    fn gives_up(&self, before: Stamp, stamp: Stamp) -> bool {
        let near = stamp.milliseconds.saturating_add(SKEW_MAX);
        self.clock_is_off && self.is_shown_clocks && before.milliseconds > near
    }

    // ---- who serves what ----

    fn serves(&mut self, case: &mut Case<'_>) {
        for key in self.served(case.act) {
            if self.part == Part::Nothing && !is_alone(case) && !self.disk_is_slow {
                let detail = format!(
                    "served {} without having claimed its arc or been given it",
                    short(key)
                );
                case.breach("served-unclaimed", detail);
            }
            self.part = Part::Serves;
            if self.disk_is_slow {
                continue;
            }
            if let Some(why) = self.claim.take_if(|claim| claim.arc.contains(key)) {
                // What it let go of it may have come to serve anew.
                self.let_go = None;
                self.serves_claimed(case, key, &why);
            }
            if self.let_go.is_some_and(|(arc, _)| arc.contains(key)) {
                let detail = format!(
                    "acknowledged a write of {}, which it had let go of",
                    short(key)
                );
                case.breach("served-after-letting-go", detail);
            }
        }
    }

    fn serves_claimed(&self, case: &mut Case<'_>, key: Id, claim: &Claim) {
        if claim.by == Some(Claimed::Here) {
            let detail = format!(
                "served {} before it was handed over to it by its successor, which serves it",
                short(key)
            );
            return case.breach("served-unhanded", detail);
        }
        // Whoever stood behind it then and stands there still has been asked, or is dead.
        let now = processes(case);
        let both = claim.behind.intersection(&now).count();
        if claim.compared.len() < both.div_ceil(2) {
            let detail = format!(
                "served {}, the arc of a dead node, after asking {} of {} others what they hold",
                short(key),
                claim.compared.len(),
                claim.behind.len()
            );
            case.breach("served-unfetched", detail);
        }
    }

    /// The keys that it answers for as their owner now: it brings a write to others, or acknowledges
    /// one.
    fn served(&mut self, act: &Act) -> Vec<Id> {
        let mut keys = Vec::new();
        for (_, _, ask) in act.asked() {
            if let Ask::Records(_, OfRecords::Store { key, .. }) = ask {
                keys.push(*key);
            }
        }
        for (to, id, answer) in act.answered() {
            let place = self
                .writes
                .iter()
                .position(|(from, of, _)| *from == to.id && *of == id);
            let write = place.map(|place| self.writes.remove(place));
            match (answer, write, act.question()) {
                (Answer::Records(_, ToRecords::Written { .. }), Some((_, _, key)), _) => {
                    keys.push(key);
                }
                (
                    Answer::Records(_, ToRecords::Record { alone: true, .. }),
                    _,
                    Some((_, _, Ask::Records(_, OfRecords::Read(key)))),
                ) => keys.push(*key),
                _ => {}
            }
        }
        keys.dedup();
        keys
    }

    /// Arcs that it claims, lets go of, or is given.
    fn takes_over(&mut self, case: &mut Case<'_>) {
        for (to, id, ask) in case.act.asked() {
            match ask {
                Ask::Records(_, OfRecords::Claim(arc)) => {
                    self.part = self.part.max_with(Part::Claims);
                    if self.claim.as_ref().is_none_or(|claim| claim.arc != *arc) {
                        self.claim = Some(Claim {
                            arc: *arc,
                            by: None,
                            compared: BTreeSet::new(),
                            behind: processes(case),
                        });
                    }
                }
                Ask::Records(_, OfRecords::Compare { arc, .. }) => {
                    if let Some(claim) = self.claim.as_mut().filter(|claim| claim.arc == *arc)
                        && to.address != case.me.address
                    {
                        claim.compared.insert(to.address);
                    }
                }
                Ask::Records(_, OfRecords::HandOver(arc, _)) => {
                    self.let_go = Some((*arc, id.number));
                }
                Ask::Records(_, OfRecords::Confirm { leaving: true }) => self.confirms = true,
                _ => {}
            }
        }
        self.is_given(case);
        for (_, _, answer) in case.act.answered() {
            if let Answer::Records(_, ToRecords::Compared(epoch) | ToRecords::Claimed(_, epoch)) =
                answer
            {
                self.epoch = self.epoch.max(*epoch);
            }
        }
    }

    fn is_given(&mut self, case: &mut Case<'_>) {
        let Some((_, id, Ask::Records(_, OfRecords::HandOver(arc, epoch)))) = case.act.question()
        else {
            return;
        };
        let (arc, epoch) = (*arc, *epoch);
        let takes = |(_, of, answer): (Peer, RequestId, &Answer)| {
            of == id && matches!(answer, Answer::Records(_, ToRecords::Taken))
        };
        if !case.act.answered().any(takes) {
            return;
        }
        // Asked again, it says so again, whatever has become of the arc since.
        let again = self.taken == Some((arc, epoch));
        if epoch <= self.epoch && !again {
            let detail = format!(
                "took over an arc in epoch {epoch}, though it had told that it knows of {}",
                self.epoch
            );
            case.breach("late-hand-over", detail);
        }
        if self.leaving && !again {
            let detail = "took over an arc while it was leaving".to_owned();
            case.breach("leaver-takes-over", detail);
        }
        self.taken = Some((arc, epoch));
        self.epoch = self.epoch.max(epoch);
        self.part = self.part.max_with(Part::Claims);
        (self.claim, self.let_go) = (None, None);
    }

    // ---- leaving ----

    /// Neighbours don't leave at the same moment, and who leaves holds nothing for others.
    fn stays(&mut self, case: &mut Case<'_>, is_late: bool) {
        let predecessor = case.after.predecessor().id;
        if let Some((from, _, ask)) = case.act.question()
            && matches!(
                ask,
                Ask::Leaving { .. } | Ask::Records(_, OfRecords::Claim(_))
            )
        {
            self.stays_for.take_if(|leaver| *leaver == from.id);
        }
        self.stays_for.take_if(|leaver| *leaver != predecessor);
        if let Some(leaver) = self.stays_for.filter(|_| case.act.left && !is_late) {
            let detail = format!(
                "said good-bye before {}, for which it had promised to stay",
                short(leaver)
            );
            case.breach("leaves-beside-leaver", detail);
        }
        let mut holds = None;
        for (to, _, answer) in case.act.answered() {
            match answer {
                Answer::Records(_, ToRecords::Stays(true)) => self.stays_for = Some(to.id),
                Answer::Records(_, ToRecords::Stored) if self.leaving => holds = Some(to),
                _ => {}
            }
        }
        if let Some(owner) = holds.filter(|_| !self.disk_is_slow) {
            let detail = format!(
                "says to {} that it holds a write, though it is leaving",
                short(owner.id)
            );
            case.breach("leaver-holds", detail);
        }
    }

    fn leaves(&mut self, case: &mut Case<'_>, since: Option<Time>, has_records: bool) {
        let is_late = |since: Time| case.now - since >= case.settings.hand_over_within;
        self.stays(case, since.is_some_and(is_late));
        let Some(since) = since else { return };
        let is_late = case.now - since >= case.settings.hand_over_within;
        let keeps = self.part == Part::Serves && has_records;
        // Nobody may be there to take it over. Who was alone already has nobody to tell that, either.
        let told = case.act.told.contains(&Told::LeftBehind);
        // Whoever joins it is its predecessor first.
        let alone = is_alone(case) && case.after.predecessor().id == case.me.id;
        let to_nobody = alone && (told || case.act.input == Given::Leave);
        if case.act.left && keeps && !is_late && !to_nobody && !self.disk_is_slow {
            let detail = "said good-bye without handing over what it served".to_owned();
            case.breach("arc-not-handed-over", detail);
        }
        if case.act.ended && self.handed && !self.confirms && !is_late && !self.disk_is_slow {
            let detail =
                "was gone before it asked whether its copies are safe elsewhere".to_owned();
            case.breach("leaver-goes-first", detail);
        }
    }
}

impl Part {
    fn max_with(self, other: Part) -> Part {
        match (self, other) {
            (Part::Nothing, other) => other,
            (part, _) => part,
        }
    }
}

/// What a message says of its sender's stamp clock.
fn clock(said: &Said) -> Option<Stamp> {
    match said {
        Said::Ask(_, Ask::Records(clock, _)) | Said::Answer(_, Answer::Records(clock, _)) => {
            Some(*clock)
        }
        Said::Notice(clock) | Said::AskClock(clock) | Said::Clock(clock) => Some(*clock),
        _ => None,
    }
}

fn is_alone(case: &Case<'_>) -> bool {
    case.after.successors().is_empty()
}

/// The processes of a node's successors, without its own: each once, wherever in the list its nodes are.
fn processes(case: &Case<'_>) -> BTreeSet<Address> {
    let all = case.after.successors().iter().map(|peer| peer.address);
    all.filter(|other| *other != case.me.address).collect()
}

/// A record that was found damaged is not answered for as if it were whole.
fn damaged(case: &mut Case<'_>) {
    let read = match case.act.question() {
        Some((_, _, Ask::Records(_, OfRecords::Read(key)))) => {
            let alone = Answer::is_whole_record;
            let answers = case.act.answered().any(|(_, _, answer)| alone(answer));
            answers.then_some(*key)
        }
        _ => case.act.told.iter().find_map(|told| match told {
            Told::ReadFor(key) => Some(*key),
            _ => None,
        }),
    };
    if let Some(key) = read.filter(|key| case.act.found_damaged(*key)) {
        let detail = format!("found {} damaged and answered for it alone", short(key));
        case.breach("damaged-served", detail);
    }
}

/// A write's stamp comes after all that its client has seen.
pub(super) fn below_past(asker: u32, stamp: Stamp, past: Stamp) -> Breach {
    Breach {
        rule: "stamp-below-past",
        node: asker,
        detail: format!("gave a write the stamp {stamp}, and its client had seen {past}"),
    }
}

/// A write is complete when as many hold it as the settings say.
pub(super) fn too_few(asker: u32, wanted: u8, acks: u8) -> Breach {
    Breach {
        rule: "acks-too-few",
        node: asker,
        detail: format!("counts a write as complete that {wanted} hold, where {acks} must"),
    }
}
