//! Reads `[[workload]]` sections: what clients do.

use cuerda_core::record::limits::VALUE_BYTES;
use toml::de::DeValue;

use super::diagnostic::{Problems, Reported};
use super::frame::Frame;
use super::schema::{WORKLOAD_COMMON, WORKLOADS, keys_of_all};
use super::section::{Entry, Section};
use super::{Access, HandsBack, Popularity, Workload, WorkloadKind};

/// The most keys of a workload.
const MOST_KEYS: u64 = 1_000_000;
/// The most clients of a workload.
const MOST_CLIENTS: u64 = 10_000;
/// The greatest exponent of a skew: the first key has all but a ten thousandth of the requests.
const STEEPEST: f64 = 16.0;

/// Reads one workload.
pub(super) fn workload(
    section: &Section,
    frame: Frame,
    problems: &mut Problems,
) -> Result<Workload, Reported> {
    let words: Vec<_> = WORKLOADS.iter().map(|(kind, _)| (*kind, *kind)).collect();
    let kind = section
        .get("kind")
        .map_or(Err(Reported), |entry| entry.word(problems, &words));
    match kind {
        Ok(kind) => {
            section.only_of_kind("workload", kind, WORKLOAD_COMMON, WORKLOADS, problems);
        }
        Err(Reported) => section.only(&keys_of_all(WORKLOAD_COMMON, WORKLOADS), problems),
    }
    let kind = section
        .require(
            "kind",
            problems,
            "say what is asked, as in `kind = \"lookup\"`",
        )
        .and(kind)
        .and_then(|kind| what(section, kind, problems));
    let rate = section
        .require("rate", problems, "say how often, as in `rate = \"1/s\"`")
        .and_then(|entry| frame.rate(&entry, problems));
    let window = frame.window(section, problems);
    let (from, until) = window?;
    Ok(Workload {
        kind: kind?,
        rate: rate?,
        from,
        until,
    })
}

fn what(section: &Section, kind: &str, problems: &mut Problems) -> Result<WorkloadKind, Reported> {
    if kind == "lookup" && section.get("keys").or(section.get("zipf")).is_none() {
        return Ok(WorkloadKind::Lookup);
    }
    let help = "say how many keys there are, as in `keys = 1000`";
    let keys = section
        .require("keys", problems, help)
        .and_then(|entry| entry.whole(problems, 1..=MOST_KEYS, help))
        .map(|keys| u32::try_from(keys).expect("bounded by MOST_KEYS"));
    let zipf = section
        .get("zipf")
        .map_or(Ok(0.0), |entry| exponent(&entry, problems));
    if kind == "lookup" {
        let (keys, zipf) = (keys?, zipf?);
        return Ok(WorkloadKind::KeyLookup(Popularity { keys, zipf }));
    }
    let mut share = |key, default| {
        section
            .get(key)
            .map_or(Ok(default), |entry| entry.share(problems))
    };
    let deletes = share("deletes", 0.0);
    let conditional = share("conditional", 0.0);
    let reads = match kind {
        "put" => Ok(0.0),
        "get" => Ok(1.0),
        _ => share("reads", 0.5),
    };
    let reads_of_deleted = share("reads_of_deleted", 0.0);
    let conditional_keys = conditional_keys(section, keys, conditional, problems);
    let clients = section.get("clients").map_or(Ok(8), |entry| {
        let help = "each remembers what it saw for itself; without the key there are 8";
        entry.whole(problems, 1..=MOST_CLIENTS, help)
    });
    let hands_back = hands_back(section, problems);
    let value = section
        .get("value")
        .map_or(Ok((100, 100)), |entry| sizes(&entry, problems));
    let lives = section
        .get("ttl")
        .map(|entry| {
            let lives = entry.duration(problems)?;
            if lives.is_zero() {
                let help = "say how long values live, or leave `ttl` out, and they stay";
                return Err(entry.wrong(problems, "the values are gone at once", help));
            }
            Ok(lives)
        })
        .transpose();
    Ok(WorkloadKind::Records(Access {
        keys: keys?,
        zipf: zipf?,
        reads: reads?,
        deletes: deletes?,
        conditional: conditional?,
        value: value?,
        lives: lives?,
        reads_of_deleted: reads_of_deleted?,
        conditional_keys: conditional_keys?,
        clients: u32::try_from(clients?).expect("bounded by MOST_CLIENTS"),
        hands_back: hands_back?,
    }))
}

/// How many keys the conditional writes go to, where that is said.
fn conditional_keys(
    section: &Section,
    keys: Result<u32, Reported>,
    conditional: Result<f64, Reported>,
    problems: &mut Problems,
) -> Result<Option<u32>, Reported> {
    let Some(entry) = section.get("conditional_keys") else {
        return Ok(None);
    };
    let help = "conditional writes then go to the first so many keys, at most all of them";
    let count = entry.whole(problems, 1..=u64::from(keys?), help)?;
    if conditional? == 0.0 {
        let help = "say what share of the writes is, as in `conditional = 0.5`";
        return Err(entry.wrong(problems, "no write is conditional", help));
    }
    Ok(Some(u32::try_from(count).expect("bounded by MOST_KEYS")))
}

/// What clients hand back.
fn hands_back(section: &Section, problems: &mut Problems) -> Result<HandsBack, Reported> {
    let forgetful = section
        .get("forgetful")
        .map_or(Ok(false), |entry| entry.truth(problems));
    let clocks = section.get("client_clocks");
    let off = clocks.map(|entry| entry.duration(problems)).transpose();
    match (forgetful?, off?, section.get("client_clocks")) {
        (true, Some(_), Some(entry)) => Err(entry.wrong(
            problems,
            "forgetful clients hand nothing back, of no clock",
            "leave `forgetful` out, and they hand back what their clocks show",
        )),
        (true, ..) => Ok(HandsBack::Nothing),
        (false, Some(off), _) => Ok(HandsBack::OwnClock(off)),
        (false, None, _) => Ok(HandsBack::LastSeen),
    }
}

fn exponent(entry: &Entry, problems: &mut Problems) -> Result<f64, Reported> {
    let help = "it is the exponent of the skew: 0 for none, about 1 for most real loads";
    let exponent = entry.number(problems, help)?;
    if (0.0..=STEEPEST).contains(&exponent) {
        // The file may say minus zero.
        Ok(exponent.abs())
    } else {
        Err(entry.wrong(
            problems,
            format!("`zipf` must be between 0 and {STEEPEST}, not {exponent}"),
            help,
        ))
    }
}

/// A size, or the least and the greatest.
fn sizes(entry: &Entry, problems: &mut Problems) -> Result<(u32, u32), Reported> {
    const HELP: &str = "write one size, as in \"1KiB\", or the least and the greatest, as in \
                        [\"10B\", \"4KiB\"]";
    let DeValue::Array(bounds) = entry.value.get_ref() else {
        let size = size(entry, problems)?;
        return Ok((size, size));
    };
    let [least, greatest] = &bounds[..] else {
        return Err(entry.wrong(problems, "a range of sizes has two bounds", HELP));
    };
    let least = size(&entry.with_value(least), problems);
    let greatest = size(&entry.with_value(greatest), problems);
    let (least, greatest) = (least?, greatest?);
    if least > greatest {
        let help = "write the lesser first";
        return Err(entry.wrong(problems, "the bounds of `value` are swapped", help));
    }
    Ok((least, greatest))
}

fn size(entry: &Entry, problems: &mut Problems) -> Result<u32, Reported> {
    let size = entry.size(problems)?;
    match u32::try_from(size) {
        Ok(size) if size as usize <= VALUE_BYTES => Ok(size),
        _ => Err(entry.wrong(
            problems,
            format!("a value has at most {} KiB", VALUE_BYTES / 1024),
            "larger contents are files, which records only name",
        )),
    }
}
