//! Where the nodes are: two networks, and a router as the only way between them.
//!
//! ```text
//!     near 10.N.1.0/24                      far 10.N.2.0/24
//!     n0  n2  n4 …  ── .254  router  .254 ──  n1  n3  n5 …
//! ```
//!
//! The engine keeps its networks apart. Each one's default route leads to the router, which
//! forwards; nothing of it leads out of these two.

use std::net::Ipv4Addr;
use std::sync::Arc;

use super::engine::{Engine, Trouble, docker};
/// How many second octets are tried to find two networks that are free.
const TRIES: u8 = 40;
/// The first of them.
const FIRST: u8 = 200;

/// As many machines as there can be.
pub(super) const MOST: u32 = crate::scenario::CONTAINERS_NODES;

/// Where the first node of a network is.
const NODES: u8 = 10;

/// The networks of a world.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    octet: u8,
    near: String,
    far: String,
    router: String,
}

impl Layout {
    /// Makes the networks and starts the router.
    pub(super) fn make(engine: &Arc<Engine>) -> Result<Layout, Trouble> {
        let (near, far) = (engine.name("near"), engine.name("far"));
        let from = (std::process::id() % u32::from(TRIES)) as u8;
        let mut trouble = None;
        for step in 0..TRIES {
            let octet = FIRST + (from + step) % TRIES;
            let made = network(engine, &near, octet, 1).and_then(|()| {
                network(engine, &far, octet, 2).inspect_err(|_| {
                    let _ = docker(&["network", "rm", &near]);
                })
            });
            match made {
                Ok(()) => {
                    let router = engine.name("router");
                    let layout = Layout {
                        octet,
                        near,
                        far,
                        router,
                    };
                    layout.start_router(engine)?;
                    return Ok(layout);
                }
                Err(error) if error.to_string().contains("overlap") => trouble = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(trouble.expect("there was at least one try"))
    }

    fn start_router(&self, engine: &Engine) -> Result<(), Trouble> {
        // The engine gives the address of a gateway to nobody: the router takes it by itself.
        let gateway = |network| format!("{}/24", gateway(self.octet, network));
        docker(&[
            "create",
            "--name",
            &self.router,
            "--label",
            &engine.label(),
            "--network",
            &self.near,
            "--sysctl",
            "net.ipv4.ip_forward=1",
            "--cap-drop",
            "ALL",
            "--cap-add",
            "NET_ADMIN",
            "--user",
            "0",
            engine.image(),
            "wait",
            "--take",
            &gateway(1),
            "--take",
            &gateway(2),
        ])?;
        docker(&["network", "connect", &self.far, &self.router])?;
        docker(&["start", &self.router])?;
        Ok(())
    }

    /// The router's container.
    pub(super) fn router(&self) -> &str {
        &self.router
    }

    /// The network that a node is on.
    pub(super) fn network(&self, number: u32) -> &str {
        if is_near(number) {
            &self.near
        } else {
            &self.far
        }
    }

    /// Where a node is.
    pub(super) fn address(&self, number: u32) -> Ipv4Addr {
        let place = u32::from(NODES) + number / 2;
        let place = u8::try_from(place).expect("few machines fit this world");
        let network = if is_near(number) { 1 } else { 2 };
        Ipv4Addr::new(10, self.octet, network, place)
    }

    /// The node that is there.
    pub(super) fn number(&self, address: Ipv4Addr) -> Option<u32> {
        let [_, octet, network, place] = address.octets();
        let pair = u32::from(place.checked_sub(NODES)?);
        match network {
            1 if octet == self.octet => Some(2 * pair),
            2 if octet == self.octet => Some(2 * pair + 1),
            _ => None,
        }
    }
}

/// Whether two nodes reach each other without the router.
pub(super) const fn are_neighbours(one: u32, other: u32) -> bool {
    is_near(one) == is_near(other)
}

const fn is_near(number: u32) -> bool {
    number.is_multiple_of(2)
}

/// Where the router is on a network.
const fn gateway(octet: u8, network: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, octet, network, 254)
}

fn network(engine: &Engine, name: &str, octet: u8, network: u8) -> Result<(), Trouble> {
    let gateway = format!("DefaultGatewayIPv4={}", gateway(octet, network));
    docker(&[
        "network",
        "create",
        "--label",
        &engine.label(),
        "--subnet",
        &format!("10.{octet}.{network}.0/24"),
        "--gateway",
        &format!("10.{octet}.{network}.1"),
        "--aux-address",
        &gateway,
        "--opt",
        "com.docker.network.bridge.enable_ip_masquerade=false",
        name,
    ])?;
    Ok(())
}

#[cfg(test)]
impl Layout {
    /// Networks that are nowhere.
    pub(super) fn imagined() -> Layout {
        Layout {
            octet: 180,
            near: "near".to_owned(),
            far: "far".to_owned(),
            router: "router".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_node_has_an_address_of_its_own() {
        let layout = Layout::imagined();
        for number in 0..crate::scenario::CONTAINERS_NODES {
            let address = layout.address(number);
            assert_eq!(layout.number(address), Some(number));
            assert_eq!(layout.network(number) == "near", is_near(number));
            assert!(are_neighbours(number, number + 2));
            assert!(!are_neighbours(number, number + 1));
        }
        assert_eq!(layout.number(Ipv4Addr::new(10, 180, 1, 2)), None);
        assert_eq!(layout.number(Ipv4Addr::new(10, 181, 1, 10)), None);
    }
}
