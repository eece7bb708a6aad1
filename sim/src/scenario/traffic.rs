//! Reads `[network]` and `[[churn]]`: what happens all the time.

use std::time::Duration;

use super::diagnostic::{Problems, Reported};
use super::frame::Frame;
use super::latency::{in_time, latency};
use super::schema;
use super::section::{Entry, Section};
use super::sessions::sessions;
use super::{Churn, Latency, MOST_NODES, Network};

/// Reads what the network does; without a section it only takes its time. `patience` is the longest
/// that a node ever waits for a reply, if that could be read; `read` gives the text of other files.
pub(super) fn network(
    section: Option<&Section>,
    patience: Option<Duration>,
    read: &dyn Fn(&str) -> Result<String, String>,
    problems: &mut Problems,
) -> Result<Network, Reported> {
    let default = Network {
        latency: Latency::Fixed(Duration::from_millis(50)),
        loss: 0.0,
        duplicate: 0.0,
        broken_links: 0.0,
        tick: Duration::from_millis(5),
    };
    let Some(section) = section else {
        return Ok(default);
    };
    section.only(schema::NETWORK, problems);
    let latency = section.get("latency").map_or(Ok(default.latency), |entry| {
        let latency = latency(&entry, read, problems)?;
        in_time(&latency, patience, &entry, problems).map(|()| latency)
    });
    let mut share = |key, default| {
        section
            .get(key)
            .map_or(Ok(default), |entry| entry.share(problems))
    };
    let loss = share("loss", default.loss);
    let duplicate = share("duplicate", default.duplicate);
    let broken_links = share("broken_links", default.broken_links);
    let tick = section
        .get("tick")
        .map_or(Ok(default.tick), |entry| tick(&entry, problems));
    Ok(Network {
        latency: latency?,
        loss: loss?,
        duplicate: duplicate?,
        broken_links: broken_links?,
        tick: tick?,
    })
}

/// The longest step: what is shorter than a step is rounded up to it.
const LONGEST_TICK: Duration = Duration::from_millis(10);

fn tick(entry: &Entry, problems: &mut Problems) -> Result<Duration, Reported> {
    let tick = entry.duration(problems)?;
    let whole = tick.subsec_nanos().is_multiple_of(1_000_000);
    if tick.is_zero() || !whole || tick > LONGEST_TICK {
        return Err(entry.wrong(
            problems,
            "the `turmoil` world can't go in such steps",
            "a tick is a whole number of milliseconds from \"1ms\" to \"10ms\"",
        ));
    }
    Ok(tick)
}

/// Reads who comes and goes.
pub(super) fn churn(
    section: &Section,
    frame: Frame,
    problems: &mut Problems,
) -> Result<Churn, Reported> {
    section.only(schema::CHURN, problems);
    let mut said = false;
    let mut each = |key| match section.get(key) {
        Some(entry) => {
            said = true;
            frame.rate(&entry, problems)
        }
        None => Ok(0.0),
    };
    let (join, leave, crash) = (each("join"), each("leave"), each("crash"));
    let sessions = sessions(section, problems);
    let goes = section.get("session").is_some();
    let keep = section.get("keep").map_or(Ok(0), |entry| {
        let help = "say how many members stay whatever happens here, as in `keep = 8`";
        let keep = entry.whole(problems, 0..=u64::from(MOST_NODES), help)?;
        Ok(u32::try_from(keep).expect("bounded by MOST_NODES"))
    });
    if !said && !goes {
        problems.report(
            section.span.clone(),
            "nobody comes or goes here",
            "say how often nodes `join`, `leave` or `crash`, as in `join = \"0.05/s\"`, or how \
             long a `session` is",
        );
    }
    let (from, until) = frame.window(section, problems)?;
    Ok(Churn {
        join: join?,
        leave: leave?,
        crash: crash?,
        sessions: sessions?,
        keep: keep?,
        from,
        until,
    })
}
