//! The network of a container, entered from outside. Of Linux alone.

use super::engine::Trouble;

/// The network of a process; it stays the same one when the process is gone and its number is
/// somebody else's.
#[derive(Debug)]
pub(super) struct Namespace(#[cfg(target_os = "linux")] std::fs::File);

#[cfg(target_os = "linux")]
impl Namespace {
    /// The network of this process, which must not be the one that this program is in.
    pub(super) fn of(process: i32) -> Result<Namespace, Trouble> {
        use std::os::unix::fs::MetadataExt as _;

        let open = |process: &str| {
            let file = std::fs::File::open(format!("/proc/{process}/ns/net"))?;
            let number = file.metadata()?.ino();
            Ok::<_, std::io::Error>((file, number))
        };
        let theirs = open(&process.to_string()).map_err(|error| {
            Trouble::NoWalls(format!(
                "the network of process {process} can't be opened ({error}); faults of the network \
                 need root, on the engine's own host"
            ))
        })?;
        let ours = open("self").map_err(|error| Trouble::NoWalls(error.to_string()))?;
        if theirs.1 == ours.1 {
            return Err(Trouble::NoWalls(format!(
                "process {process} is no container's here; faults of the network need an engine on \
                 this very machine"
            )));
        }
        Ok(Namespace(theirs.0))
    }

    /// The same once more, for another thread.
    pub(super) fn again(&self) -> Result<Namespace, Trouble> {
        let again = self.0.try_clone();
        again
            .map(Namespace)
            .map_err(|error| Trouble::NoWalls(error.to_string()))
    }

    /// Brings this thread into it, for good.
    pub(super) fn enter(&self) -> Result<(), String> {
        nix::sched::setns(&self.0, nix::sched::CloneFlags::CLONE_NEWNET).map_err(|error| {
            format!("a container's network can't be entered ({error}); run as root")
        })
    }

    /// Does something as if from within.
    pub(super) fn within<T: Send>(
        &self,
        act: impl FnOnce() -> Result<T, String> + Send,
    ) -> Result<T, Trouble> {
        let entered = std::thread::scope(|scope| {
            // Only this thread enters it, and ends there.
            let within = scope.spawn(move || {
                self.enter()?;
                act()
            });
            within.join().expect("it does not panic")
        });
        entered.map_err(Trouble::NoWalls)
    }
}

#[cfg(not(target_os = "linux"))]
impl Namespace {
    pub(super) fn of(_: i32) -> Result<Namespace, Trouble> {
        Ok(Namespace())
    }

    pub(super) fn again(&self) -> Result<Namespace, Trouble> {
        Ok(Namespace())
    }

    pub(super) fn within<T: Send>(
        &self,
        _: impl FnOnce() -> Result<T, String> + Send,
    ) -> Result<T, Trouble> {
        let why = "faults of the network are made on Linux only, on the engine's own host";
        Err(Trouble::NoWalls(why.to_owned()))
    }
}
