//! TLS whose every byte follows from a seed, for worlds that run the whole host.
//!
//! Of what a handshake draws at random there are the hellos and the key exchange; rustls takes
//! the first from its provider, but ring draws the second from the operating system, out of
//! reach. So the exchange is done here, on the same curve (X25519). All else is ring's, and
//! Ed25519 signatures have no randomness.
//!
//! **Never for a real network**: whoever knows the seed reads everything.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use rustls::crypto::{
    ActiveKeyExchange, CryptoProvider, GetRandomFailed, SecureRandom, SharedSecret,
    SupportedKxGroup,
};
use rustls::{Error, NamedGroup, PeerMisbehaved};
use x25519_dalek::{PublicKey, StaticSecret};

/// ring's provider with all its randomness from one stream of this seed.
///
/// Two hosts with the same seed would draw the same keys: give each its own. What a provider
/// draws depends on the order of its handshakes, and on nothing else. It is never freed (some
/// 400 bytes), since rustls wants it for ever: make one for each host, not for each connection.
#[must_use]
pub fn provider(seed: [u8; 32]) -> Arc<CryptoProvider> {
    let stream = Mutex::new(ChaCha8Rng::from_seed(seed));
    let random: &'static Seeded = Box::leak(Box::new(Seeded(stream)));
    let mut provider = rustls::crypto::ring::default_provider();
    provider.secure_random = random;
    provider.kx_groups = vec![random];
    Arc::new(provider)
}

/// A stream of random numbers for whatever asks next.
struct Seeded(Mutex<ChaCha8Rng>);

impl Seeded {
    fn draw(&self, bytes: &mut [u8]) {
        // A stream that a panic interrupted is as good as any other.
        let mut stream = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        stream.fill_bytes(bytes);
    }
}

impl fmt::Debug for Seeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seeded")
    }
}

impl SecureRandom for Seeded {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), GetRandomFailed> {
        self.draw(bytes);
        Ok(())
    }
}

impl SupportedKxGroup for Seeded {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let mut secret = [0; 32];
        self.draw(&mut secret);
        let secret = StaticSecret::from(secret);
        let public = PublicKey::from(&secret);
        Ok(Box::new(Exchange { secret, public }))
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

/// A key exchange under way.
struct Exchange {
    secret: StaticSecret,
    public: PublicKey,
}

impl ActiveKeyExchange for Exchange {
    fn complete(self: Box<Self>, theirs: &[u8]) -> Result<SharedSecret, Error> {
        let refused = || Error::PeerMisbehaved(PeerMisbehaved::InvalidKeyShare);
        let theirs = <[u8; 32]>::try_from(theirs).map_err(|_| refused())?;
        let shared = self.secret.diffie_hellman(&PublicKey::from(theirs));
        // RFC 8446, section 7.4.2: all zeros means that the peer chose the result alone.
        if !shared.was_contributory() {
            return Err(refused());
        }
        Ok(SharedSecret::from(&shared.as_bytes()[..]))
    }

    fn pub_key(&self) -> &[u8] {
        self.public.as_bytes()
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

#[cfg(test)]
mod tests;
