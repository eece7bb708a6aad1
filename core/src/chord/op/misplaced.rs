//! What becomes of records that a node should not hold any more.

use crate::chord::Node;
use std::task::{Poll, ready};

use super::Compare;
use crate::chord::ask::{Ask, Question};
use crate::chord::record_message::{RecordReply, RecordRequest};
use crate::protocol::Network;
use crate::record::Entry;
use crate::ring::{Id, Peer};

/// **Give away** records of which this node is no holder.
///
/// 1. Look up who owns the first of them, and take those that lie before that node, too.
/// 2. Ask it whether as many nodes as should hold exactly these. Those may be dropped here.
/// 3. Where it has something else, make both have the same. It brings that to the holders, and
///    says so when it is asked the next time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::chord) struct Misplaced {
    /// Where the first of them lies.
    pub(in crate::chord) first: Id,
    leaving: bool,
    stage: Stage,
    safe: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Stage {
    Seeking,
    Confirming(Vec<Entry>, Question),
    Comparing(Box<Compare>),
}

impl Misplaced {
    pub(in crate::chord) const fn new(first: Id, leaving: bool) -> Misplaced {
        Misplaced {
            first,
            leaving,
            stage: Stage::Seeking,
            safe: Vec::new(),
        }
    }

    /// The owner was found, and these are its.
    pub(in crate::chord) fn found(&mut self, owner: Peer, entries: Vec<Entry>) {
        self.stage = Stage::Confirming(entries, Question::new(owner, 1));
    }

    /// The records that are safe elsewhere, as they were when that was asked, and whether others
    /// were brought there.
    pub(in crate::chord) fn poll<N: Network<Node>>(
        &mut self,
        ask: &mut Ask<'_, N>,
    ) -> Poll<(Vec<Entry>, bool)> {
        loop {
            match &mut self.stage {
                Stage::Seeking => return Poll::Pending,
                Stage::Confirming(entries, question) => {
                    let leaving = self.leaving;
                    let confirm = |_: &mut N| RecordRequest::Confirm {
                        entries: entries.clone(),
                        leaving,
                    };
                    let owner = question.to;
                    let reply = ready!(question.poll_records(ask, confirm));
                    let Some(RecordReply::Confirmed { safe, mut other }) = reply else {
                        return Poll::Ready((Vec::new(), false));
                    };
                    let known = |key: &Id| entries.iter().any(|entry| entry.key == *key);
                    other.retain(known);
                    let all = std::mem::take(entries).into_iter();
                    self.safe = all.filter(|entry| safe.contains(&entry.key)).collect();
                    if other.is_empty() {
                        return Poll::Ready((std::mem::take(&mut self.safe), false));
                    }
                    let compare = Compare::of_keys(owner, other, 1);
                    self.stage = Stage::Comparing(Box::new(compare));
                }
                Stage::Comparing(compare) => {
                    let brought = !ready!(compare.poll(ask)).failed;
                    return Poll::Ready((std::mem::take(&mut self.safe), brought));
                }
            }
        }
    }
}
