//! How the rest of a program talks to a running host.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::admission::Admission;
use super::counters::Counters;
use super::status::{Answer, CallError, FingerRow, Status, Walk};
use super::walk;
use crate::node::{Input, LookupError, Reply, Request};
use crate::ring::{Id, Peer};

/// A host's handle: cloneable, `Send`, and of no effect when dropped. Every call ends within
/// its time-out.
#[derive(Clone, Debug)]
pub struct Handle {
    calls: mpsc::Sender<Call>,
    counters: Arc<Counters>,
    timeout: Duration,
}

/// Where an answer goes.
pub(super) type Returns<T> = oneshot::Sender<T>;

/// What a host is asked by way of its handle.
#[derive(Debug)]
pub(super) enum Call {
    Order(u8, Input),
    Lookup {
        key: Id,
        traced: bool,
        returns: Returns<Result<Answer, LookupError>>,
    },
    Ask {
        to: Peer,
        request: Request,
        /// `None` if the reply does not come in time.
        returns: Returns<Option<Reply>>,
    },
    Status(Returns<Status>),
    Fingers(u8, Returns<Vec<FingerRow>>),
    Leave(Returns<()>),
    Stop(Returns<()>),
    Admit(Admission, Returns<usize>),
}

impl Handle {
    /// How long a call may take, unless [`Handle::with_timeout`] says otherwise.
    pub const TIMEOUT: Duration = Duration::from_secs(10);

    pub(super) const fn new(
        calls: mpsc::Sender<Call>,
        counters: Arc<Counters>,
        timeout: Duration,
    ) -> Handle {
        Handle {
            calls,
            counters,
            timeout,
        }
    }

    /// The same host, asked with more or less patience. Default: 10 s.
    #[must_use]
    pub fn with_timeout(&self, timeout: Duration) -> Handle {
        Handle {
            timeout,
            ..self.clone()
        }
    }

    /// How long a call may take.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        self.timeout
    }

    /// What the host has counted.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    async fn call<T>(&self, make: impl FnOnce(Returns<T>) -> Call) -> Result<T, CallError> {
        let (returns, answer) = oneshot::channel();
        self.calls
            .try_send(make(returns))
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => CallError::Busy,
                mpsc::error::TrySendError::Closed(_) => CallError::Stopped,
            })?;
        match tokio::time::timeout(self.timeout, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => Err(CallError::Stopped),
            Err(_) => Err(CallError::TimedOut(self.timeout)),
        }
    }

    /// Looks up who owns a key.
    ///
    /// # Errors
    /// If nobody was found, or not in time.
    pub async fn lookup(&self, key: Id) -> Result<Answer, CallError> {
        self.look_up(key, false).await
    }

    /// The same, with every node that was asked.
    ///
    /// # Errors
    /// As [`Handle::lookup`].
    pub async fn lookup_traced(&self, key: Id) -> Result<Answer, CallError> {
        self.look_up(key, true).await
    }

    async fn look_up(&self, key: Id, traced: bool) -> Result<Answer, CallError> {
        let answer = self.call(|returns| Call::Lookup {
            key,
            traced,
            returns,
        });
        Ok(answer.await??)
    }

    /// Puts one question to any peer, besides what the nodes ask for themselves.
    ///
    /// # Errors
    /// If it does not answer in time.
    pub async fn ask(&self, to: Peer, request: Request) -> Result<Reply, CallError> {
        let reply = self.call(|returns| Call::Ask {
            to,
            request,
            returns,
        });
        reply.await?.ok_or(CallError::Silent(to))
    }

    /// What the host tells about itself.
    ///
    /// # Errors
    /// If it has stopped, or does not answer in time.
    pub async fn status(&self) -> Result<Status, CallError> {
        self.call(Call::Status).await
    }

    /// The finger table of one of its nodes; empty for an index it does not have.
    ///
    /// # Errors
    /// As [`Handle::status`].
    pub async fn fingers(&self, node: u8) -> Result<Vec<FingerRow>, CallError> {
        self.call(|returns| Call::Fingers(node, returns)).await
    }

    /// Walks round the ring and asks every member for its neighbours; at most `most` of them.
    ///
    /// # Errors
    /// If the host has stopped or belongs to no ring. A silent member is no error: it is told
    /// in the walk.
    pub async fn walk(&self, most: usize) -> Result<Walk, CallError> {
        walk::walk(self, most).await
    }

    /// The processes that hold a key, its owner first: the owner and the next members after it
    /// that belong to other processes, `count` in all or as many as there are.
    ///
    /// # Errors
    /// As [`Handle::lookup`] and [`Handle::ask`].
    pub async fn holders(&self, key: Id, count: usize) -> Result<Vec<Peer>, CallError> {
        walk::holders(self, key, count).await
    }

    /// Makes all its nodes leave the ring and the host stop. Done when it has.
    ///
    /// # Errors
    /// If it has not in time.
    pub async fn leave(&self) -> Result<(), CallError> {
        self.call(Call::Leave).await
    }

    /// Makes the host stop without leaving: to the ring it is as if it had crashed. Done when it
    /// has.
    ///
    /// # Errors
    /// If it has not in time.
    pub async fn stop(&self) -> Result<(), CallError> {
        self.call(Call::Stop).await
    }

    /// Replaces the keys and secrets it admits by, while it runs; connections that these would
    /// not have let in are closed. Returns how many were.
    ///
    /// # Errors
    /// As [`Handle::status`].
    pub async fn admit(&self, admission: Admission) -> Result<usize, CallError> {
        self.call(|returns| Call::Admit(admission, returns)).await
    }

    /// Hands an input to one of its nodes: for a harness that conducts them itself. Answers to
    /// look-ups go to the [`super::Hooks`] alone. False if there is no room, or nobody any more.
    #[must_use]
    pub fn order(&self, node: u8, input: Input) -> bool {
        self.calls.try_send(Call::Order(node, input)).is_ok()
    }
}
