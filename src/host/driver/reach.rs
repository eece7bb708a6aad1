//! Dials back whoever is beside the host's nodes and has only connected itself; see
//! [`reach`](crate::host::reach).

use super::{Done, Host};
use crate::host::handshake::{Proven, Refused};
use crate::host::hooks::Hooks;
use crate::host::hosted::Hosted;
use crate::host::sockets::Sockets;
use cuerda_core::Hint as _;
use cuerda_core::ring::{Address, Peer};

impl<P: Hosted, S: Sockets, H: Hooks<P>> Host<P, S, H> {
    /// Begins to look whether those beside the nodes can be reached, where nobody knows yet.
    pub(super) fn look_who_is_in_reach(&mut self) {
        let beside = self.nodes.iter().filter_map(P::beside);
        let beside = beside.map(|peer| (peer, self.links.connected(peer.id)));
        let beside: Vec<_> = beside.collect();
        for peer in self.reach.next_to_dial(&beside, self.now) {
            let (sockets, handshaker) = (self.sockets.clone(), self.handshaker.clone());
            let patience = self.settings.connect_timeout;
            self.tasks.spawn(async move {
                let dialled = handshaker.dial(&sockets, peer.address.into(), patience);
                Done::DialledBack(peer, dialled.await.map(Box::new))
            });
        }
    }

    /// Somebody beside a node was dialled back.
    pub(super) fn dialled_back(
        &mut self,
        peer: Peer,
        proven: Result<Box<Proven<S::Stream>>, Refused>,
    ) {
        let result = match proven {
            Err(error) => Err(error.with_hint()),
            Ok(proven) if proven.handshake.ids().contains(&peer.id) => {
                self.connected(*proven, peer.address);
                Ok(())
            }
            Ok(_) => Err("another process answers there".to_owned()),
        };
        let (is_reached, why) = match &result {
            Ok(()) => (true, String::new()),
            Err(why) => (false, why.clone()),
        };
        if !is_reached && let Some((serial, _)) = self.links.find(peer.id) {
            self.links.tell_out_of_reach(serial);
        }
        if !self.reach.dialled(peer, result, self.now) {
            return;
        }
        if is_reached {
            tracing::info!(%peer, "can be connected to again");
        } else {
            tracing::warn!(
                %peer, why,
                "connects to this node, but can't be connected to, so that newcomers beside it find no \
                 way in: it should say by `advertise` where others reach it, and let them in there"
            );
        }
    }

    /// Somebody who hears this process could not connect to it, where it says that it is.
    pub(super) fn told_out_of_reach(&mut self, by: Address) {
        if self.reach.told(by, self.now) {
            tracing::warn!(
                %by, address = %self.address,
                "others can't connect to this node where it says that it is, and no newcomer will find \
                 a way in beside it: say by `advertise` where others reach it, and let them in there"
            );
        }
    }
}
