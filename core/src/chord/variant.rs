//! Wrong variants of the node: plausible mistakes, one of which a node can be told to make.
//!
//! They measure the harness, not the node: a variant that every check passes shows what nobody
//! would notice. Each stands at one place in the node, where [`Config::is_variant`] is asked; the
//! table below says what it does wrong and whose rule that breaks.
//!
//! A release never contains them. Without the feature `mutants` nobody can choose one,
//! [`Variation::is`] is constantly false, and the places that ask compile to nothing.

use super::Config;

/// Which mistake a node makes, if any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Variation {
    #[cfg(feature = "mutants")]
    variant: Option<Variant>,
}

impl Variation {
    /// Whether the node makes this mistake.
    #[cfg(feature = "mutants")]
    #[inline]
    pub(super) fn is(self, variant: Variant) -> bool {
        self.variant == Some(variant)
    }

    /// Whether the node makes this mistake: none does.
    #[cfg(not(feature = "mutants"))]
    #[inline(always)]
    pub(super) const fn is(self, _: Variant) -> bool {
        false
    }
}

impl Config {
    /// Which mistake its nodes make, if any.
    #[inline(always)]
    pub(super) const fn variation(&self) -> Variation {
        Variation {
            #[cfg(feature = "mutants")]
            variant: self.variant,
        }
    }

    /// Whether its nodes make this mistake.
    #[inline(always)]
    pub(super) fn is_variant(&self, variant: Variant) -> bool {
        self.variation().is(variant)
    }
}

macro_rules! variants {
    ($($variant:ident $name:literal $sentence:literal $source:literal)*) => {
        /// A mistake that a node can be told to make.
        #[cfg(feature = "mutants")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Variant { $(#[doc = $sentence] $variant,)* }

        /// A mistake that no node of this build makes.
        #[cfg(not(feature = "mutants"))]
        #[derive(Clone, Copy)]
        pub(super) enum Variant { $($variant,)* }

        #[cfg(feature = "mutants")]
        impl Variant {
            /// All of them.
            pub const ALL: &[Variant] = &[$(Variant::$variant,)*];

            /// What it is called on the command line and in tables.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Variant::$variant => $name,)* }
            }

            /// What it does, in a sentence.
            #[must_use]
            pub const fn sentence(self) -> &'static str {
                match self { $(Variant::$variant => $sentence,)* }
            }

            /// Where the rule that it breaks comes from: a paper and its section, or the file of
            /// this project that states it.
            #[must_use]
            pub const fn source(self) -> &'static str {
                match self { $(Variant::$variant => $source,)* }
            }

            /// The variant of this name.
            #[must_use]
            pub fn of_name(name: &str) -> Option<Variant> {
                Variant::ALL.iter().copied().find(|variant| variant.name() == name)
            }
        }
    };
}

variants! {
    // ---- the ring: stabilize, rectify ----
    SilentSuccessorUnnotified "silent-successor-unnotified"
        "After a silent successor the next one is not notified."
        "Zave 2017, IV, StabilizeFromSuccessor"
    SuccessorUnnotified "successor-unnotified"
        "A successor that answers and stays the successor is not notified."
        "Zave 2017, IV, StabilizeFromSuccessor"
    CandidateUnasked "candidate-unasked"
        "The successor's predecessor is adopted without being asked."
        "Zave 2017, IV, StabilizeFromPredecessor"
    SilentCandidateUnnotified "silent-candidate-unnotified"
        "After a silent candidate the successor is not notified."
        "Zave 2017, IV, StabilizeFromPredecessor, as corrected in 2018"
    ListOneShort "list-one-short"
        "Successor lists are one entry shorter than configured."
        "Zave 2017, III, state: exactly r successors"
    OwnTailKept "own-tail-kept"
        "Of the successor's list nothing is taken over: the own one is kept behind it."
        "Zave 2017, IV, StabilizeFromSuccessor"
    OneSilenceKills "one-silence-kills"
        "A successor is presumed dead after its first silence, whatever `attempts` says."
        "core/src/chord/config.rs, attempts"
    BusyMeansDead "busy-means-dead"
        "Whoever says that it is busy and then nothing is presumed dead."
        "Zave 2017, IV: interim replies, lest it be presumed dead"
    AnswersInStep "answers-in-step"
        "A node tells its neighbours while a step of its own is open."
        "Zave 2017, IV: the state is undefined from the question to the answer's use"
    PredecessorUnpinged "predecessor-unpinged"
        "A farther notifier replaces the predecessor, which is not pinged."
        "Zave 2017, IV, Rectify"
    PredecessorForgotten "predecessor-forgotten"
        "After a silent predecessor a node has none."
        "Zave 2017, IV, Rectify: a predecessor is never set to nobody"
    PredecessorUnchecked "predecessor-unchecked"
        "A farther notifier never replaces the predecessor, dead or not."
        "Zave 2017, IV, Rectify"
    DepartureUnheeded "departure-unheeded"
        "When the successor leaves, the next one is neither notified nor asked."
        "Stoica et al. 2003, IV-E.2; Zave 2017, IV, StabilizeFromSuccessor"

    // ---- into the ring and out of it ----
    JoinUnbracketed "join-unbracketed"
        "A joiner takes any member for its predecessor, whether or not it lies behind it."
        "Zave 2017, IV, Join"
    JoinTakesHeadOnly "join-takes-head-only"
        "A joiner takes only the first entry of its predecessor's list."
        "Zave 2017, IV, Join"
    JoinerUnintroduced "joiner-unintroduced"
        "A joiner says nothing to its predecessor."
        "core/src/chord/membership.rs, joined"
    JoinerWaits "joiner-waits"
        "A joiner waits a period before it first stabilizes."
        "Stoica et al. 2003, IV-E: a joiner notifies its successor"
    FoundsAtOnce "founds-at-once"
        "The lowest of nodes that are all outside founds a ring without waiting."
        "core/src/chord/config.rs, found_after"
    AnybodyFounds "anybody-founds"
        "Whoever finds no member for long enough founds a ring, the lowest or not."
        "core/src/chord/op/join.rs, step 5"
    StrandedFounds "stranded-founds"
        "A node all of whose successors are silent becomes a ring of its own."
        "core/src/chord/op/retreat.rs"
    RetreatTakesFirst "retreat-takes-first"
        "A stranded node follows the first that answers, not the next one ahead."
        "core/src/chord/op/retreat.rs, step 2"
    LeaverTellsOne "leaver-tells-one"
        "A leaver tells its successor, not its predecessor."
        "Stoica et al. 2003, IV-E.2"
    IncarnationNotIncreased "incarnation-not-increased"
        "A node that starts again has the incarnation that it had before."
        "core/src/chord/mod.rs, Node::new"
    EarlierReplyTrusted "earlier-reply-trusted"
        "A reply to an earlier incarnation is taken for one to this."
        "core/src/protocol/request_id.rs"

    // ---- reunion ----
    ProbesNeverBackOff "probes-never-back-off"
        "Peers presumed dead are probed in every period."
        "core/src/chord/config.rs, probe_every_max"
    ProbedOnce "probed-once"
        "A peer presumed dead is probed once, and never again."
        "Shafaat et al. 2009, passive list"
    ReunionNotSought "reunion-not-sought"
        "One presumed dead that answers is not asked for one's own place in its ring."
        "Shafaat et al. 2009, ring unification"
    HomeUnintroduced "home-unintroduced"
        "Whoever is found at one's own place in another ring is not contacted."
        "Shafaat et al. 2009, ring unification"
    DisplacedForgotten "displaced-forgotten"
        "A successor displaced by a nearer one is not handed on to it."
        "Shafaat et al. 2009, look-ups that carry displaced pointers"
    MemoryNotRestored "memory-not-restored"
        "After a restart the peers once remembered are not probed."
        "core/src/protocol/event.rs, Input::Remember"

    // ---- look-ups and fingers ----
    OwnerUnconfirmed "owner-unconfirmed"
        "A look-up names the first successor after the key without asking it."
        "core/src/chord/op/lookup.rs, step 2"
    StepBackRefusedAtKey "step-back-refused-at-key"
        "A look-up does not go back to a predecessor that lies exactly at the key."
        "core/src/chord/op/lookup.rs, step 3"
    AsksTwice "asks-twice"
        "A look-up asks the first node that answers once more."
        "core/src/chord/op/lookup.rs: nobody that answered is asked again"
    NoBacktracking "no-backtracking"
        "A look-up gives up at the first silence."
        "core/src/chord/op/lookup.rs, step 1"
    OwnRangeReversed "own-range-reversed"
        "A node takes its predecessor's place for its own, and its own for somebody else's."
        "Stoica et al. 2003, IV-A: successor(k) is the first node at or after k"
    FingersNeverRefreshed "fingers-never-refreshed"
        "Fingers are looked up once and never again."
        "Stoica et al. 2003, IV-E.1, fix_fingers"
    DeadFingerKept "dead-finger-kept"
        "A finger that is silent stays in the table."
        "core/src/chord/queries.rs, finger_found"

    // ---- who serves a key ----
    ServedUnacquired "served-unacquired"
        "A newcomer serves its arc at once, without having taken it over."
        "core/src/chord/records/mod.rs: what makes an acknowledged write safe"
    NeighboursDecide "neighbours-decide"
        "A write is checked against the neighbours, not against what the node serves."
        "core/src/chord/records/ownership.rs"
    CopyServed "copy-served"
        "A holder answers readings from its copy as if it served the key."
        "core/src/chord/records/answers.rs, read_here"
    ArcNeverReleased "arc-never-released"
        "A newcomer's arc is never handed over to it."
        "core/src/chord/records/moves.rs"
    HandedOverUnbrought "handed-over-unbrought"
        "An arc is handed over without what is stored there."
        "core/src/chord/op/hand_over.rs, step 1"
    NextOwnerUnwritten "next-owner-unwritten"
        "A write during a hand-over does not go to the next owner."
        "core/src/chord/op/replicate.rs, step 1"
    OpenWritesKept "open-writes-kept"
        "Writes that are open when an arc is let go of go on, and are acknowledged."
        "core/src/chord/op/hand_over.rs, step 2"
    HandOverUnnumbered "hand-over-unnumbered"
        "A hand-over is taken whatever its epoch."
        "core/src/chord/op/hand_over.rs, step 3"
    OwnerDoesNotRefuse "owner-does-not-refuse"
        "A node that serves a key holds a write of another that believes to serve it."
        "core/src/chord/records/mod.rs: what makes an acknowledged write safe"
    TakenOverUnfetched "taken-over-unfetched"
        "The arc of a dead node is served without fetching what others have of it."
        "core/src/chord/op/acquire.rs, step 3"
    FetchedFromOne "fetched-from-one"
        "The arc of a dead node is fetched from one other only."
        "core/src/chord/op/acquire.rs, step 3"

    // ---- writes and copies ----
    AckedOneShort "acked-one-short"
        "A write is brought to one node fewer than should hold it, and acknowledged so."
        "core/src/chord/config.rs, acks"
    SilentHolderCounts "silent-holder-counts"
        "A holder that stays silent counts as one that holds a write."
        "core/src/chord/op/replicate.rs, step 3"
    BeatenAcknowledged "beaten-acknowledged"
        "A holder acknowledges a write that lost against what it has."
        "core/src/chord/op/replicate.rs, step 4"
    ProcessesNotTold "processes-not-told"
        "Two nodes of one process count as two holders."
        "core/src/chord/records/context.rs, other_processes"
    MajorityNotAsked "majority-not-asked"
        "A conditional write counts as granted without a majority of the last holders."
        "core/src/chord/records/repair.rs, is_majority"
    ConditionIgnored "condition-ignored"
        "A conditional write is done whatever is there."
        "core/src/protocol/access.rs, Condition"
    RestampedInDoubt "restamped-in-doubt"
        "A write that may have been done and overtaken is stamped anew, and undoes what overtook it."
        "core/src/chord/op/access.rs, step 5"
    MergedByMilliseconds "merged-by-milliseconds"
        "Of two values whose stamps have the same millisecond the one that was there stays."
        "core/src/record/stamp.rs"
    TombstoneLoses "tombstone-loses"
        "A value stays where a later deletion is merged."
        "core/src/record/record.rs, merge"
    DeletionForgotten "deletion-forgotten"
        "The owner of a deleted key keeps no tombstone."
        "core/src/record/record.rs: a deletion is a field too"

    // ---- repair ----
    HoldersUnrepaired "holders-unrepaired"
        "A new holder is not brought what is stored."
        "core/src/chord/records/repair.rs, set_holders"
    RepairOnlyFetches "repair-only-fetches"
        "Repair takes what the holders have, and brings them nothing."
        "core/src/chord/op/compare.rs, step 3"
    RepairsOnePart "repairs-one-part"
        "Where two differ in several parts of an arc, one of them is looked into."
        "core/src/chord/op/compare.rs, step 1"
    FailedRepairCounts "failed-repair-counts"
        "A comparison that a holder did not answer counts as done."
        "core/src/chord/records/repair.rs, next_holder"
    DirtyForgotten "dirty-forgotten"
        "A key counts as held by all when its write ends, whoever holds it."
        "core/src/chord/records/writes.rs, held"
    DroppedIfOwned "dropped-if-owned"
        "A copy that is not needed is dropped when the owner has it, whoever else does."
        "core/src/chord/records/repair.rs, confirm"
    MisplacedKept "misplaced-kept"
        "Copies that should be elsewhere are neither given away nor dropped."
        "core/src/chord/op/misplaced.rs"
    DamagedServed "damaged-served"
        "A damaged record is answered for as if there were none."
        "core/src/store/mod.rs, is_damaged"
    DamagedUnrepaired "damaged-unrepaired"
        "A damaged record is not fetched again."
        "core/src/store/mod.rs, get"
    NeverScrubbed "never-scrubbed"
        "What nobody reads is never read."
        "core/src/chord/records/scrub.rs"

    // ---- leaving ----
    ArcNotHandedOver "arc-not-handed-over"
        "A leaver says good-bye without handing over what it serves."
        "core/src/chord/records/departure.rs, step 1"
    LeaverGoesFirst "leaver-goes-first"
        "A leaver goes before its copies are safe elsewhere."
        "core/src/chord/records/departure.rs, step 3"
    LeaverTakesOver "leaver-takes-over"
        "A leaver takes over an arc."
        "core/src/chord/records/answers.rs, take_over"

    // ---- clocks and lifetimes ----
    PastIgnored "past-ignored"
        "A write's stamp may be below the last one that its client has seen."
        "core/src/record/stamp.rs, issue_above"
    ClocksNotHeard "clocks-not-heard"
        "The clocks that come with messages are not taken in."
        "core/src/record/stamp.rs, heard"
    MarkNotKept "mark-not-kept"
        "The stamp clock's mark does not go to the disk."
        "core/src/record/stamp.rs, restarts"
    FarStampAccepted "far-stamp-accepted"
        "An owner takes a stamp that is far ahead of its clock."
        "core/src/record/stamp.rs, the bound on skew"
    FarStampHeld "far-stamp-held"
        "A holder takes a stamp that is far ahead of its clock."
        "core/src/record/stamp.rs, the bound on skew"
    FarStampStays "far-stamp-stays"
        "What has a stamp far ahead of the clock can't be written over."
        "core/src/record/stamp.rs, follow"
    WrongClockTrusted "wrong-clock-trusted"
        "A node whose clock is far from those of others goes on by it."
        "core/src/record/offsets.rs, wrong_by"
    ExpiryOfTheAsker "expiry-of-the-asker"
        "A value ends by the clock of the node that its writer asked."
        "core/src/protocol/access.rs, Write::lives"
    TombstonesInSeconds "tombstones-in-seconds"
        "The seconds of a deletion's lifetime are taken for milliseconds."
        "core/src/chord/config.rs, tombstones_for"
    TombstonesUnconfirmed "tombstones-unconfirmed"
        "A tombstone is forgotten though not all holders have it."
        "core/src/record/record.rs, collect"
    LivesTooLong "lives-too-long"
        "The milliseconds that a value lives are taken for seconds."
        "core/src/protocol/access.rs, Write::lives"
    LivesTooShort "lives-too-short"
        "The seconds that a value lives are taken for milliseconds."
        "core/src/protocol/access.rs, Write::lives"
    StaleKept "stale-kept"
        "A node that was away for longer than deletions are remembered merges what it had."
        "core/src/chord/config.rs, tombstones_for"
    FreshSetAside "fresh-set-aside"
        "A node that was away for a moment sets aside what it had."
        "core/src/chord/config.rs, tombstones_for"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(not(feature = "mutants"))]
    #[test]
    fn a_build_without_the_feature_knows_no_variant() {
        assert_eq!(size_of::<Variation>(), 0);
        assert!(!Config::default().is_variant(Variant::CandidateUnasked));
        let told = format!("{:?}", Config::default());
        assert!(!told.contains("ariant"), "{told}");
    }

    #[cfg(feature = "mutants")]
    #[test]
    fn a_node_makes_the_mistake_that_it_is_told_to_and_no_other() {
        let told = Variant::CandidateUnasked;
        let config = Config {
            variant: Some(told),
            ..Config::default()
        };
        for &variant in Variant::ALL {
            assert!(!Config::default().is_variant(variant));
            assert_eq!(config.is_variant(variant), variant == told);
        }
    }

    #[cfg(feature = "mutants")]
    #[test]
    fn each_has_a_name_a_sentence_and_a_source_of_its_own() {
        use std::collections::BTreeSet;

        let names: BTreeSet<&str> = Variant::ALL.iter().map(|variant| variant.name()).collect();
        let sentences = Variant::ALL.iter().map(|variant| variant.sentence());
        let sentences: BTreeSet<&str> = sentences.collect();
        assert_eq!(names.len(), Variant::ALL.len());
        assert_eq!(sentences.len(), Variant::ALL.len());
        for &variant in Variant::ALL {
            assert_eq!(Variant::of_name(variant.name()), Some(variant));
            assert!(variant.sentence().ends_with('.'), "{variant:?}");
            assert!(!variant.source().is_empty(), "{variant:?}");
        }
        assert_eq!(Variant::of_name("unheard-of"), None);
    }
}
