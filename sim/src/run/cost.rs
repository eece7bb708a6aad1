//! What a run costs: the only place of the harness that reads the real clock.

use std::time::{Duration, Instant};

#[cfg(unix)]
use nix::sys::resource::{Usage, UsageWho, getrusage};

use crate::report::Cost;

/// How long nothing is told.
const PAUSE: Duration = Duration::from_millis(100);

/// Measures this thread from its start.
pub(super) struct Meter {
    start: Instant,
    cpu: f64,
    told: Instant,
}

#[expect(
    clippy::disallowed_methods,
    reason = "the cost of a run is measured in real time"
)]
fn now() -> Instant {
    Instant::now()
}

/// Other runs of a sweep go on in other threads; where the system can't tell them apart, it is
/// the whole process that is measured.
#[cfg(unix)]
fn usage() -> Option<Usage> {
    #[cfg(target_os = "linux")]
    const WHO: UsageWho = UsageWho::RUSAGE_THREAD;
    #[cfg(not(target_os = "linux"))]
    const WHO: UsageWho = UsageWho::RUSAGE_SELF;
    getrusage(WHO).ok()
}

#[cfg(unix)]
fn cpu_seconds() -> f64 {
    let seconds =
        |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    usage().map_or(0.0, |usage| {
        seconds(usage.user_time()) + seconds(usage.system_time())
    })
}

/// The most memory that this process has had, in bytes; 0 if the system does not say.
///
/// On Linux it is `VmHWM`, which counts from the start of the program. What `getrusage` tells is
/// handed on by whoever started it, so that under cargo it is cargo's; elsewhere there is no other.
#[cfg(unix)]
fn peak_rss_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    high_water_mark(&status).unwrap_or_else(peak_by_usage)
}

/// `VmHWM` of a `/proc/PID/status`, in bytes.
#[cfg(unix)]
fn high_water_mark(status: &str) -> Option<u64> {
    let mark = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = mark.trim().strip_suffix(" kB")?.parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(unix)]
fn peak_by_usage() -> u64 {
    // Linux counts in KiB, macOS in bytes.
    let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
    let most = getrusage(UsageWho::RUSAGE_SELF).map_or(0, |usage| usage.max_rss());
    u64::try_from(most).unwrap_or(0) * unit
}

/// Known on Unix only.
#[cfg(not(unix))]
fn cpu_seconds() -> f64 {
    0.0
}

/// Known on Unix only.
#[cfg(not(unix))]
fn peak_rss_bytes() -> u64 {
    0
}

impl Meter {
    pub(super) fn start() -> Meter {
        Meter {
            start: now(),
            cpu: cpu_seconds(),
            told: now(),
        }
    }

    /// True at most ten times a second.
    pub(super) fn is_time_to_tell(&mut self) -> bool {
        let time = self.told.elapsed() >= PAUSE;
        if time {
            self.told = now();
        }
        time
    }

    pub(super) fn stop(&self, events: u64) -> Cost {
        Cost {
            events,
            cpu_s: cpu_seconds() - self.cpu,
            wall_s: self.start.elapsed().as_secs_f64(),
            peak_rss_bytes: peak_rss_bytes(),
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn the_high_water_mark_is_found_among_the_rest() {
        let status = "Name:\tsim\nVmPeak:\t 9 kB\nVmHWM:\t   37888 kB\nVmRSS:\t 1 kB\n";
        assert_eq!(high_water_mark(status), Some(37_888 * 1024));
        // A process of the kernel has none.
        assert_eq!(high_water_mark("Name:\tkthreadd\n"), None);
        assert_eq!(high_water_mark("VmHWM:\t1 MB\n"), None);
    }

    #[test]
    fn memory_that_was_used_is_counted() {
        let all = vec![1_u8; 256 << 20];
        assert!(std::hint::black_box(&all)[1 << 20] == 1);
        assert!(peak_rss_bytes() >= 256 << 20);
    }
}
