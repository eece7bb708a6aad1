//! Which worlds this build has, and whether one of them is at hand. Plays nothing.

use crate::scenario::World;

/// Why nothing can be played in a world.
#[derive(Debug, thiserror::Error)]
pub enum NotReady {
    /// The feature with its name was left out when the harness was built.
    #[error("this build of the harness has no `{}` world: build it with the feature `{}`", .0.name(), .0.name())]
    NotBuilt(World),
    /// It has no engine or no image.
    #[cfg(feature = "containers")]
    #[error(transparent)]
    Containers(#[from] crate::world::containers::Trouble),
}

/// Whether this build has the world: `events` always, the others if the feature with their name
/// is on.
#[must_use]
pub const fn is_built(world: World) -> bool {
    match world {
        World::Events => true,
        World::Turmoil => cfg!(feature = "turmoil"),
        World::Containers => cfg!(feature = "containers"),
    }
}

/// Whether the world is at hand, before anything is played in it.
///
/// # Errors
/// If this build does not have it, or if it needs a Docker engine or an image that is not there.
pub fn ready(world: World) -> Result<(), NotReady> {
    if !is_built(world) {
        return Err(NotReady::NotBuilt(world));
    }
    #[cfg(feature = "containers")]
    if world == World::Containers {
        crate::world::containers::ready()?;
    }
    Ok(())
}

/// Tells the worlds of this process to stop, and to take away what they have made. False if there
/// is nothing to take away.
pub fn interrupt() -> bool {
    #[cfg(feature = "containers")]
    return crate::world::containers::interrupt();
    #[cfg(not(feature = "containers"))]
    return false;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_world_is_there_if_its_feature_is_on() {
        assert!(is_built(World::Events));
        assert!(ready(World::Events).is_ok());
        assert_eq!(is_built(World::Turmoil), cfg!(feature = "turmoil"));
        assert_eq!(is_built(World::Containers), cfg!(feature = "containers"));
    }

    #[test]
    fn a_world_that_was_not_built_says_which_feature_it_needs() {
        insta::assert_snapshot!(
            NotReady::NotBuilt(World::Turmoil),
            @"this build of the harness has no `turmoil` world: build it with the feature `turmoil`"
        );
        #[cfg(not(feature = "turmoil"))]
        assert!(matches!(
            ready(World::Turmoil),
            Err(NotReady::NotBuilt(World::Turmoil))
        ));
    }
}
