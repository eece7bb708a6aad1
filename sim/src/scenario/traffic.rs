//! Reads `[network]` and `[[churn]]`: what happens all the time.

use std::time::Duration;

use super::diagnostic::{Problems, Reported};
use super::frame::Frame;
use super::quantity::format_duration;
use super::schema;
use super::section::{Entry, Section};
use super::{Churn, Latency, Network};

/// Reads what the network does; without a section it only takes its time. `patience` is the longest
/// that a node ever waits for a reply, if that could be read.
pub(super) fn network(
    section: Option<&Section>,
    patience: Option<Duration>,
    problems: &mut Problems,
) -> Result<Network, Reported> {
    let default = Network {
        latency: Latency::Fixed(Duration::from_millis(50)),
        loss: 0.0,
        duplicate: 0.0,
        tick: Duration::from_millis(5),
    };
    let Some(section) = section else {
        return Ok(default);
    };
    section.only(schema::NETWORK, problems);
    let latency = section.get("latency").map_or(Ok(default.latency), |entry| {
        let latency = latency(&entry, problems)?;
        in_time(latency, patience, &entry, problems)
    });
    let mut share = |key, default| {
        section
            .get(key)
            .map_or(Ok(default), |entry| entry.share(problems))
    };
    let loss = share("loss", default.loss);
    let duplicate = share("duplicate", default.duplicate);
    let tick = section
        .get("tick")
        .map_or(Ok(default.tick), |entry| tick(&entry, problems));
    Ok(Network {
        latency: latency?,
        loss: loss?,
        duplicate: duplicate?,
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

fn latency(entry: &Entry, problems: &mut Problems) -> Result<Latency, Reported> {
    const FORMS: &[&str] = &["fixed", "uniform", "exponential"];
    const HELP: &str = "write `{ fixed = \"50ms\" }`, `{ uniform = [\"10ms\", \"90ms\"] }` or \
                        `{ exponential = \"50ms\" }`";
    let table = entry.table(problems, HELP)?;
    table.only(FORMS, problems);
    let forms: Vec<Entry> = table
        .entries()
        .filter(|form| FORMS.contains(&form.key))
        .collect();
    let form = match &forms[..] {
        [form] => form,
        [first, second, ..] => {
            return Err(problems.report(
                second.key_span.clone(),
                format!("`latency` is `{}` already", first.key),
                "keep one of them",
            ));
        }
        // An unknown form has been reported, and says what was meant.
        [] if table.entries().next().is_some() => return Err(Reported),
        [] => return Err(entry.wrong(problems, "`latency` says nothing", HELP)),
    };
    match form.key {
        "fixed" => form.duration(problems).map(Latency::Fixed),
        "exponential" => form.duration(problems).map(Latency::Exponential),
        _ => {
            let help = "name the least and the greatest, as in [\"10ms\", \"90ms\"]";
            let bounds = form.list(problems, help)?;
            let [least, greatest] = &bounds[..] else {
                return Err(form.wrong(problems, "`uniform` has two bounds", help));
            };
            let least = form.with_value(least).duration(problems);
            let greatest = form.with_value(greatest).duration(problems);
            let (least, greatest) = (least?, greatest?);
            if least > greatest {
                let help = "write the lesser first";
                return Err(form.wrong(problems, "the bounds of `uniform` are swapped", help));
            }
            Ok(Latency::Uniform(least, greatest))
        }
    }
}

/// The latency, if replies can come while they are waited for: there and back take two. Of an
/// exponential one some are late whatever its mean is; it is refused where most are.
fn in_time(
    latency: Latency,
    patience: Option<Duration>,
    entry: &Entry,
    problems: &mut Problems,
) -> Result<Latency, Reported> {
    let (one_way, how) = match latency {
        Latency::Fixed(time) => (time, ""),
        Latency::Uniform(_, greatest) => (greatest, "up to "),
        Latency::Exponential(mean) => (mean, "on average "),
    };
    let reply = one_way.saturating_mul(2);
    match patience {
        Some(patience) if reply > patience => Err(entry.wrong(
            problems,
            format!(
                "a reply takes {how}\"{}\", and nodes wait for none longer than \"{}\"",
                format_duration(reply),
                format_duration(patience)
            ),
            "raise `request_timeout_max` in [node] above what there and back take",
        )),
        _ => Ok(latency),
    }
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
    if !said {
        problems.report(
            section.span.clone(),
            "nobody comes or goes here",
            "say how often nodes `join`, `leave` or `crash`, as in `join = \"0.05/s\"`",
        );
    }
    let (from, until) = frame.window(section, problems)?;
    Ok(Churn {
        join: join?,
        leave: leave?,
        crash: crash?,
        from,
        until,
    })
}
