//! How the rest of a program talks to a running host.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::admission::Admission;
use super::counters::Counters;
use super::disk::OnFile;
use super::hosted::Hosted;
use super::status::{CallError, Exported, HeldKey, LookupAnswer, Page, Status};
use cuerda_core::chord::Node;
use cuerda_core::protocol::{AccessError, Fetched, Input, LookupError, RequestId, Write, Written};
use cuerda_core::record::Stamp;
use cuerda_core::ring::{Id, Peer};

/// A host's handle: cloneable, `Send`, and of no effect when dropped. Every call ends within
/// its time-out.
#[derive(Clone, Debug)]
pub struct Handle<P: Hosted = Node> {
    calls: mpsc::Sender<Call<P>>,
    counters: Arc<Counters>,
    timeout: Duration,
}

/// Where an answer goes.
pub(super) type Returns<T> = oneshot::Sender<T>;

/// How a write ended.
pub(super) type Wrote = Result<Written, AccessError>;

/// Makes a request of the id that it is to have.
pub(super) type Make<M> = Box<dyn FnOnce(RequestId) -> M + Send>;

/// Looks at a node, if there is one.
pub(super) type Look<P> = Box<dyn FnOnce(Option<&P>) + Send>;

/// What becomes of the steps of a look-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Steps {
    /// They are told with the answer.
    Traced,
    Forgotten,
}

/// What a host is asked by way of its handle.
pub(super) enum Call<P: Hosted> {
    Order(u8, Input<P>),
    Lookup {
        key: Id,
        steps: Steps,
        returns: Returns<Result<LookupAnswer, LookupError>>,
    },
    Ask {
        to: Peer,
        make: Make<P::Message>,
        /// `None` if the reply does not come in time.
        returns: Returns<Option<P::Message>>,
    },
    Write(Id, Write, Returns<Wrote>),
    Read(Id, Stamp, Returns<Result<Fetched, AccessError>>),
    Keys(u8, Option<Id>, Returns<Page<HeldKey>>),
    Export(u8, Option<Id>, Returns<Page<Exported>>),
    OnFile(u8, OnFile),
    Status(Returns<Status<P::Status>>),
    Look(u8, Look<P>),
    Leave(Returns<u64>),
    Stop(Returns<()>),
    Admit(Admission, Returns<usize>),
}

impl<P: Hosted> Handle<P> {
    /// How long a call may take, unless [`Handle::with_timeout`] says otherwise.
    pub const TIMEOUT: Duration = Duration::from_secs(10);

    pub(super) const fn new(
        calls: mpsc::Sender<Call<P>>,
        counters: Arc<Counters>,
        timeout: Duration,
    ) -> Handle<P> {
        Handle {
            calls,
            counters,
            timeout,
        }
    }

    /// The same host, asked with more or less patience. Default: 10 s.
    #[must_use]
    pub fn with_timeout(&self, timeout: Duration) -> Handle<P> {
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
    pub fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    pub(super) async fn call<T>(
        &self,
        make: impl FnOnce(Returns<T>) -> Call<P>,
    ) -> Result<T, CallError> {
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
    pub async fn lookup(&self, key: Id) -> Result<LookupAnswer, CallError> {
        self.look_up(key, Steps::Forgotten).await
    }

    /// The same, with every node that was asked.
    ///
    /// # Errors
    /// As [`Handle::lookup`].
    pub async fn lookup_traced(&self, key: Id) -> Result<LookupAnswer, CallError> {
        self.look_up(key, Steps::Traced).await
    }

    async fn look_up(&self, key: Id, steps: Steps) -> Result<LookupAnswer, CallError> {
        let answer = self.call(|returns| Call::Lookup {
            key,
            steps,
            returns,
        });
        Ok(answer.await??)
    }

    /// Puts a request to any peer, besides what the nodes ask for themselves. It is made by `make`
    /// of the id that it must have.
    ///
    /// # Errors
    /// If the reply does not come in time.
    pub async fn request(
        &self,
        to: Peer,
        make: impl FnOnce(RequestId) -> P::Message + Send + 'static,
    ) -> Result<P::Message, CallError> {
        let make = Box::new(make);
        let reply = self.call(|returns| Call::Ask { to, make, returns });
        reply.await?.ok_or(CallError::Silent(to))
    }

    /// Looks at one of its nodes, between two inputs; `None` for an index that it does not have.
    ///
    /// # Errors
    /// As [`Handle::status`].
    pub async fn look<T: Send + 'static>(
        &self,
        node: u8,
        look: impl FnOnce(&P) -> T + Send + 'static,
    ) -> Result<Option<T>, CallError> {
        let look = |returns: Returns<Option<T>>| -> Look<P> {
            Box::new(move |node| {
                // Whoever asked may be gone.
                let _ = returns.send(node.map(look));
            })
        };
        self.call(|returns| Call::Look(node, look(returns))).await
    }

    /// Writes to a field of a key's record. Done in part is no error: see
    /// [`Written::is_complete`].
    ///
    /// # Errors
    /// If the key's owner was not found or said no. After a time-out, and when nobody answered,
    /// the write may have been done all the same.
    pub async fn write(&self, key: Id, write: Write) -> Result<Written, CallError> {
        Ok(self
            .call(|returns| Call::Write(key, write, returns))
            .await??)
    }

    /// Reads the record of a key. `past` is the last stamp that the client has seen, or
    /// [`Stamp::ZERO`].
    ///
    /// # Errors
    /// If nobody could be found to answer.
    pub async fn read(&self, key: Id, past: Stamp) -> Result<Fetched, CallError> {
        Ok(self
            .call(|returns| Call::Read(key, past, returns))
            .await??)
    }

    /// Keys that one of its nodes holds, in their order: at most [`super::limits::KEYS_PAGE`]
    /// after this one, or from the first. None for an index that it does not have.
    ///
    /// # Errors
    /// As [`Handle::status`].
    pub async fn keys(&self, node: u8, after: Option<Id>) -> Result<Page<HeldKey>, CallError> {
        self.call(|returns| Call::Keys(node, after, returns)).await
    }

    /// The records of such keys, for a backup; at most [`super::limits::EXPORT_PAGE`].
    ///
    /// # Errors
    /// As [`Handle::status`].
    pub async fn export(&self, node: u8, after: Option<Id>) -> Result<Page<Exported>, CallError> {
        self.call(|returns| Call::Export(node, after, returns))
            .await
    }

    /// What the host tells about itself.
    ///
    /// # Errors
    /// If it has stopped, or does not answer in time.
    pub async fn status(&self) -> Result<Status<P::Status>, CallError> {
        self.call(Call::Status).await
    }

    /// Makes all its nodes leave the ring and the host stop. Done when it has; says how many records
    /// may be nowhere but on its disk, because nobody took them over in time.
    ///
    /// # Errors
    /// If it has not in time.
    pub async fn leave(&self) -> Result<u64, CallError> {
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
    pub fn order(&self, node: u8, input: Input<P>) -> bool {
        self.calls.try_send(Call::Order(node, input)).is_ok()
    }
}
