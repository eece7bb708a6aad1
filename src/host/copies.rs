//! Whether all records of a ring are where they should be: every member is asked.

use futures_util::stream::{self, StreamExt as _};

use super::handle::Handle;
use super::limits::ASKED_AT_A_TIME;
use super::status::{CallError, RingCopies, Visited};
use cuerda_core::chord::{Copies, Reply, Request};

impl Handle {
    /// Walks round the ring, and asks every member whether the records that it serves are where they
    /// should be; at most `most` of them.
    ///
    /// # Errors
    /// As [`Handle::walk`].
    pub async fn copies(&self, most: usize) -> Result<RingCopies, CallError> {
        let walk = self.walk(most).await?;
        let asked = walk
            .members
            .into_iter()
            .map(|member| of_member(self, member));
        // In the order of the walk.
        let asked = stream::iter(asked).buffered(ASKED_AT_A_TIME);
        let asked: Vec<(Visited, Result<Option<Copies>, CallError>)> = asked.collect().await;
        let mut all = RingCopies {
            members: asked.len(),
            ideal: walk.ideal,
            ..RingCopies::default()
        };
        for (member, copies) in asked {
            match copies? {
                None => all.silent.push(member.peer),
                Some(copies) => {
                    all.lacking += copies.lacking;
                    all.under_way += usize::from(copies.under_way);
                    all.unsettled
                        .extend((!copies.settled).then_some(member.peer));
                }
            }
        }
        Ok(all)
    }
}

/// What a member says; `None` if it does not answer, or belongs to no ring any more.
async fn of_member(
    handle: &Handle,
    member: Visited,
) -> (Visited, Result<Option<Copies>, CallError>) {
    let copies = match handle.ask(member.peer, Request::Copies).await {
        Ok(Reply::Copies(copies)) => Ok(Some(copies)),
        Ok(_) | Err(CallError::Silent(_)) => Ok(None),
        Err(error) => Err(error),
    };
    (member, copies)
}
