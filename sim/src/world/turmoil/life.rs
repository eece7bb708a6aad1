//! The life of a host: what runs on a machine from its start to its end.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use cuerda::host::{Begin, Handle, Host, Hosted, Identity, Security, Settings, Storage};
use cuerda_core::protocol::Input;
use cuerda_core::store::MemoryStore;
use tokio::sync::oneshot;

use super::hooks::Eyes;
use super::net::Shared;
use super::reports::{Reports, What};
use super::sockets::Plugs;
use crate::world::address_of;

/// How a machine is to start, and how the running program is reached. The machine's closure and
/// the world share it.
pub(super) struct Slot<P: Hosted>(Arc<Mutex<Inside<P>>>);

struct Inside<P: Hosted> {
    start: Option<Start<P>>,
    handle: Option<Handle<P>>,
    /// Orders for a program that is not listening yet.
    orders: Vec<Input<P>>,
    leave: Option<oneshot::Sender<()>>,
}

impl<P: Hosted> Default for Inside<P> {
    fn default() -> Inside<P> {
        Inside {
            start: None,
            handle: None,
            orders: Vec::new(),
            leave: None,
        }
    }
}

impl<P: Hosted> Clone for Slot<P> {
    fn clone(&self) -> Slot<P> {
        Slot(Arc::clone(&self.0))
    }
}

impl<P: Hosted> Default for Slot<P> {
    fn default() -> Slot<P> {
        Slot(Arc::default())
    }
}

/// How a machine is to start.
pub(super) struct Start<P: Hosted> {
    pub(super) number: u32,
    pub(super) epoch: u32,
    pub(super) incarnation: u32,
    pub(super) key: [u8; 32],
    /// What is on its disk.
    pub(super) store: Arc<Mutex<MemoryStore>>,
    /// Where the program's own jitter comes from.
    pub(super) jitter: [u8; 32],
    pub(super) begin: Begin<P>,
    pub(super) config: Arc<P::Config>,
    pub(super) security: Security,
}

impl<P: Hosted> Slot<P> {
    fn with<T>(&self, act: impl FnOnce(&mut Inside<P>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What the machine does when it is next switched on.
    pub(super) fn plan(&self, start: Start<P>) {
        self.with(|inside| {
            *inside = Inside {
                start: Some(start),
                ..Inside::default()
            };
        });
    }

    /// The machine is off.
    pub(super) fn clear(&self) {
        self.with(|inside| *inside = Inside::default());
    }

    /// Gives an order to the program, now or when it listens. False if it takes no more.
    pub(super) fn order(&self, input: Input<P>) -> bool {
        self.with(|inside| match (&inside.handle, input) {
            (Some(_), Input::Leave) => {
                // Asked twice, it leaves once.
                inside
                    .leave
                    .take()
                    .is_none_or(|leave| leave.send(()).is_ok())
            }
            (Some(handle), input) => handle.order(0, input),
            (None, input) => {
                inside.orders.push(input);
                true
            }
        })
    }

    /// The handle of the program, while it runs.
    #[cfg(test)]
    pub(super) fn handle(&self) -> Option<Handle<P>> {
        self.with(|inside| inside.handle.clone())
    }
}

/// Runs a machine: the whole program, as it is deployed, until the machine stops. Never ends by
/// itself: a machine whose main task has ended would stand still with its sockets open.
pub(super) async fn run<P: Hosted>(
    net: Shared,
    reports: Reports<P>,
    slot: Slot<P>,
) -> turmoil::Result {
    // A machine that is registered starts once without a plan, and is switched off at once.
    let Some(start) = slot.with(|inside| inside.start.take()) else {
        return std::future::pending().await;
    };
    let (number, epoch) = (start.number, start.epoch);
    let plugs = Plugs {
        net: net.clone(),
        number,
        epoch,
    };
    let eyes = Eyes {
        net: net.clone(),
        reports: reports.clone(),
        number,
        epoch,
    };
    match Host::bind(plugs, eyes, settings(start)).await {
        Ok((host, handle)) => {
            net.lock().counted.push(Arc::clone(handle.counters()));
            let (leave, told) = oneshot::channel();
            let orders = slot.with(|inside| {
                inside.handle = Some(handle.clone());
                inside.leave = Some(leave);
                std::mem::take(&mut inside.orders)
            });
            tokio::spawn(async move {
                if told.await.is_ok() {
                    // What comes of it is seen from outside.
                    let _ = handle.leave().await;
                }
            });
            for input in orders {
                slot.order(input);
            }
            let what = match host.run().await {
                Ok(ended) => What::Ended(ended),
                Err(error) => What::Failed(error.to_string()),
            };
            reports.add(number, epoch, what);
        }
        Err(error) => {
            let what = What::Failed(error.to_string());
            reports.add(number, epoch, what);
        }
    }
    std::future::pending().await
}

fn settings<P: Hosted>(start: Start<P>) -> Settings<P> {
    let identity = Identity::from_seed(start.key);
    let listen = SocketAddr::from(address_of(start.number));
    Settings {
        security: start.security,
        incarnation: start.incarnation,
        storage: Storage::Shared(vec![start.store]),
        seed: start.jitter,
        ..Settings::new(start.config, identity, listen, start.begin)
    }
}
