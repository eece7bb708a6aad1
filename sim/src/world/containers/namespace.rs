//! The network namespace of a container, entered from outside. Of Linux alone.

use super::engine::Trouble;

/// Does something as if from within the network of a process.
///
/// # Errors
/// If its network can't be entered: not by root, or not on the engine's own host.
#[cfg(target_os = "linux")]
pub(super) fn within<T: Send>(
    process: i32,
    act: impl FnOnce() -> Result<T, String> + Send,
) -> Result<T, Trouble> {
    let entered = std::thread::scope(|scope| {
        // Only this thread enters the namespace, and it ends there.
        let within = scope.spawn(move || {
            enter(process)?;
            act()
        });
        within.join().expect("it does not panic")
    });
    entered.map_err(Trouble::NoWalls)
}

/// Brings this thread into the network of a process, for good.
#[cfg(target_os = "linux")]
pub(super) fn enter(process: i32) -> Result<(), String> {
    use nix::sched::{CloneFlags, setns};

    let failed = |error: &dyn std::fmt::Display| {
        format!(
            "the network of process {process} can't be entered ({error}); faults of the network \
             need root, on the engine's own host"
        )
    };
    let namespace = std::fs::File::open(format!("/proc/{process}/ns/net"));
    let namespace = namespace.map_err(|error| failed(&error))?;
    setns(namespace, CloneFlags::CLONE_NEWNET).map_err(|error| failed(&error))
}

#[cfg(not(target_os = "linux"))]
pub(super) fn within<T: Send>(
    _: i32,
    _: impl FnOnce() -> Result<T, String> + Send,
) -> Result<T, Trouble> {
    let why = "faults of the network are made on Linux only, on the engine's own host";
    Err(Trouble::NoWalls(why.to_owned()))
}
