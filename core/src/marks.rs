//! Marks in the node's rare branches: which of them were taken, for a harness that looks for
//! scenarios in which something new happens.
//!
//! Nothing but a bit is kept of each, beside the nodes and not in them: a mark changes no node's
//! state, and no node can see one. Without the feature `marks` there is nothing here, and whoever
//! reaches a mark pays nothing.

#[cfg(feature = "marks")]
use std::cell::Cell;

/// A rare branch of the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// A step of maintenance was given up, so that others need not wait in a circle.
    StepGivenUp,
    /// Who wanted to join a ring of one was dead before it was asked.
    CandidateDead,
    /// A successor that fell silent had said that it leaves.
    SuccessorLeft,
    /// The only known successor left; its own successors are followed.
    LastSuccessorLeft,
    /// All others said that they leave: a ring of one is left.
    AllLeft,
    /// A silent predecessor was replaced by a notifier behind it.
    PredecessorReplaced,
    /// A candidate turned out not to lie before the successor.
    CandidateNotBetween,
    /// A joining node founded a ring, as none of its contacts is a member.
    FoundedAmongOthers,
    /// A member to whom nobody answered any more went on alone.
    WentOnAlone,
    /// A contact refused a joining node.
    JoinRefused,
    /// The last successor fell silent.
    Stranded,
    /// A stranded node found a successor again.
    FoundBack,
    /// A stranded node found nobody, and joins anew.
    JoinedAgain,
    /// A node was told to leave that was not in a ring.
    LeftOutside,
    /// A node stays until its predecessor is gone.
    StaysForLeaver,
    /// A leaving node lost what it was to hand over, and begins anew.
    DepartureAnew,
    /// A leaving node went before its keys were taken over.
    HandOverLate,
    /// A leaving node went before all its records were safe elsewhere.
    DepartureLate,
    /// The next owner did not take what was to be handed over.
    HandOverRefused,
    /// Keys that were let go came back, as the next owner would not have them.
    TakenBack,
    /// The next owner knew a later epoch than whoever handed over.
    HandOverSuperseded,
    /// The next owner did not get a write during a hand-over, which began anew.
    NextOwnerLacks,
    /// A holder had a later write than the owner.
    WriteBeaten,
    /// A holder had heard of a later owner of the key.
    WriteSuperseded,
    /// No other owner was found for a copy that is misplaced.
    MisplacedUnowned,
    /// A misplaced copy changed while its owner was asked about it.
    MisplacedChanged,
}

#[cfg(feature = "marks")]
impl Mark {
    /// All of them, in their order.
    pub const ALL: [Mark; 26] = [
        Mark::StepGivenUp,
        Mark::CandidateDead,
        Mark::SuccessorLeft,
        Mark::LastSuccessorLeft,
        Mark::AllLeft,
        Mark::PredecessorReplaced,
        Mark::CandidateNotBetween,
        Mark::FoundedAmongOthers,
        Mark::WentOnAlone,
        Mark::JoinRefused,
        Mark::Stranded,
        Mark::FoundBack,
        Mark::JoinedAgain,
        Mark::LeftOutside,
        Mark::StaysForLeaver,
        Mark::DepartureAnew,
        Mark::HandOverLate,
        Mark::DepartureLate,
        Mark::HandOverRefused,
        Mark::TakenBack,
        Mark::HandOverSuperseded,
        Mark::NextOwnerLacks,
        Mark::WriteBeaten,
        Mark::WriteSuperseded,
        Mark::MisplacedUnowned,
        Mark::MisplacedChanged,
    ];

    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Mark::StepGivenUp => "step-given-up",
            Mark::CandidateDead => "candidate-dead",
            Mark::SuccessorLeft => "successor-left",
            Mark::LastSuccessorLeft => "last-successor-left",
            Mark::AllLeft => "all-left",
            Mark::PredecessorReplaced => "predecessor-replaced",
            Mark::CandidateNotBetween => "candidate-not-between",
            Mark::FoundedAmongOthers => "founded-among-others",
            Mark::WentOnAlone => "went-on-alone",
            Mark::JoinRefused => "join-refused",
            Mark::Stranded => "stranded",
            Mark::FoundBack => "found-back",
            Mark::JoinedAgain => "joined-again",
            Mark::LeftOutside => "left-outside",
            Mark::StaysForLeaver => "stays-for-leaver",
            Mark::DepartureAnew => "departure-anew",
            Mark::HandOverLate => "hand-over-late",
            Mark::DepartureLate => "departure-late",
            Mark::HandOverRefused => "hand-over-refused",
            Mark::TakenBack => "taken-back",
            Mark::HandOverSuperseded => "hand-over-superseded",
            Mark::NextOwnerLacks => "next-owner-lacks",
            Mark::WriteBeaten => "write-beaten",
            Mark::WriteSuperseded => "write-superseded",
            Mark::MisplacedUnowned => "misplaced-unowned",
            Mark::MisplacedChanged => "misplaced-changed",
        }
    }
}

/// The marks reached, one bit for each.
#[cfg(feature = "marks")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks(u32);

#[cfg(feature = "marks")]
impl Marks {
    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Each of them, in order.
    pub fn each(self) -> impl Iterator<Item = Mark> {
        let is_in = move |mark: &Mark| self.0 & (1 << *mark as u32) != 0;
        Mark::ALL.into_iter().filter(is_in)
    }
}

#[cfg(feature = "marks")]
std::thread_local! {
    /// A world has one thread to itself, so those of one thread are of one run.
    static REACHED: Cell<u32> = const { Cell::new(0) };
}

/// Takes out the marks that nodes of this thread have reached since the last call.
#[cfg(feature = "marks")]
#[must_use]
pub fn take() -> Marks {
    Marks(REACHED.take())
}

/// A node reaches a mark.
#[cfg(feature = "marks")]
pub(crate) fn reached(mark: Mark) {
    REACHED.set(REACHED.get() | 1 << mark as u32);
}

/// A node reaches a mark, and nobody collects them.
#[cfg(not(feature = "marks"))]
#[inline(always)]
pub(crate) const fn reached(_: Mark) {}

#[cfg(all(test, feature = "marks"))]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_complete_and_its_names_are_those_of_the_variants() {
        for (place, mark) in Mark::ALL.into_iter().enumerate() {
            assert_eq!(mark as usize, place);
            let camel: String = mark
                .name()
                .split('-')
                .map(|word| word[..1].to_uppercase() + &word[1..])
                .collect();
            assert_eq!(camel, format!("{mark:?}"));
        }
    }

    #[test]
    fn what_was_reached_is_taken_once() {
        let _ = take();
        reached(Mark::Stranded);
        reached(Mark::StepGivenUp);
        reached(Mark::Stranded);
        let marks: Vec<Mark> = take().each().collect();
        assert_eq!(marks, [Mark::StepGivenUp, Mark::Stranded]);
        assert!(take().is_empty());
    }
}
