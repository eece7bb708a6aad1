//! What a protocol is called where processes introduce themselves.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use cuerda_core::Hint;
use cuerda_core::protocol::Protocol;

/// The protocol of the first release. Its handshakes name none.
const FIRST: &str = "chord";

/// A protocol's name: 1 to [`ProtocolName::LONGEST`] visible ASCII characters, so that it can
/// stand in a log whoever has sent it. The default is `chord`, which handshakes of the first
/// release mean without saying so.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct ProtocolName(Cow<'static, str>);

/// Text that can't be a protocol's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a protocol's name has 1 to {most} visible ASCII characters, unlike {0:?}",
    most = ProtocolName::LONGEST
)]
pub struct UnfitName(String);

impl Hint for UnfitName {
    fn hint(&self) -> Option<Cow<'static, str>> {
        Some("choose another name".into())
    }
}

impl ProtocolName {
    /// The most characters that a name may have.
    pub const LONGEST: usize = 32;

    /// The name of a protocol.
    ///
    /// # Errors
    /// If other processes would not read it.
    pub fn of<P: Protocol>() -> Result<ProtocolName, UnfitName> {
        ProtocolName::new(Cow::Borrowed(P::NAME))
    }

    fn new(name: Cow<'static, str>) -> Result<ProtocolName, UnfitName> {
        let visible = name.bytes().all(|byte| byte.is_ascii_graphic());
        if visible && (1..=ProtocolName::LONGEST).contains(&name.len()) {
            Ok(ProtocolName(name))
        } else {
            Err(UnfitName(name.into_owned()))
        }
    }

    /// Whether it is the protocol of the first release.
    #[must_use]
    pub fn is_first(&self) -> bool {
        self.0 == FIRST
    }
}

impl Default for ProtocolName {
    fn default() -> ProtocolName {
        ProtocolName(Cow::Borrowed(FIRST))
    }
}

impl TryFrom<String> for ProtocolName {
    type Error = UnfitName;

    fn try_from(name: String) -> Result<ProtocolName, UnfitName> {
        ProtocolName::new(Cow::Owned(name))
    }
}

impl fmt::Display for ProtocolName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cuerda_core::chord::Node;

    #[test]
    fn chord_is_what_handshakes_mean_that_name_no_protocol() {
        assert_eq!(ProtocolName::of::<Node>(), Ok(ProtocolName::default()));
        assert!(ProtocolName::default().is_first());
    }

    #[test]
    fn a_name_is_short_and_visible() {
        let longest = "x".repeat(ProtocolName::LONGEST);
        for fit in ["a", "mesh", "kademlia/2", &longest] {
            let name = ProtocolName::try_from(fit.to_owned());
            assert_eq!(name.map(|name| name.to_string()), Ok(fit.to_owned()));
        }
        let too_long = format!("{longest}x");
        for unfit in ["", "two words", "red\u{1b}[31m", "über", "a\n", &too_long] {
            let name = ProtocolName::try_from(unfit.to_owned());
            assert_eq!(name, Err(UnfitName(unfit.to_owned())));
        }
    }
}
