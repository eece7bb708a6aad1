//! Which seeds are played, and which part of them one of several processes does.

use std::str::FromStr;

/// Neighbouring seeds; at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seeds {
    pub(crate) first: u64,
    pub(crate) last: u64,
}

impl Seeds {
    pub(crate) const fn number(self) -> u64 {
        (self.last - self.first).saturating_add(1)
    }

    /// All of them, in order.
    #[cfg(feature = "mutants")]
    pub(crate) fn all(self) -> impl Iterator<Item = u64> {
        self.first..=self.last
    }
}

impl FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Seeds, String> {
        let seed = |text: &str| {
            let error = |_| format!("`{text}` is no seed; write two whole numbers, as in 1..101");
            text.trim().parse::<u64>().map_err(error)
        };
        let (first, last) = text
            .split_once("..")
            .ok_or("write the first seed, two dots and the seed after the last, as in 1..101")?;
        let first = seed(first)?;
        let last = match last.strip_prefix('=') {
            Some(last) => Some(seed(last)?),
            None => seed(last)?.checked_sub(1),
        };
        match last {
            Some(last) if first <= last => Ok(Seeds { first, last }),
            _ => Err(format!(
                "there are no seeds in {text}; the second must be above the first"
            )),
        }
    }
}

/// One of several processes that share the seeds: the `index`-th of `count`, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shard {
    index: u64,
    count: u64,
}

/// Variables by which engines tell each of their tasks its number, and what the first is called.
const INDEX_FROM: [(&str, u64); 4] = [
    // A Kubernetes job with `completionMode: Indexed`.
    ("JOB_COMPLETION_INDEX", 0),
    // A Slurm array `0-…`.
    ("SLURM_ARRAY_TASK_ID", 0),
    // A GitLab job with `parallel`.
    ("CI_NODE_INDEX", 1),
    // A task of a Docker Swarm job that is given `SLOT={{.Task.Slot}}`.
    ("SLOT", 0),
];

impl Shard {
    /// The whole, in one process.
    pub(crate) const ALL: Shard = Shard { index: 0, count: 1 };

    /// Reads `2/12`, or `auto/12`: the engine that started this process says which it is.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub(crate) fn read(
        text: &str,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Shard, String> {
        let help = "write which of how many, from 0, as in 0/12, or auto/12";
        let (index, count) = text.split_once('/').ok_or(help)?;
        let count = count.trim().parse::<u64>().map_err(|_| help)?;
        let index = match index.trim() {
            "auto" => found(variable)?,
            index => index.parse::<u64>().map_err(|_| help)?,
        };
        if index < count {
            Ok(Shard { index, count })
        } else {
            Err(format!(
                "there is no shard {index} of {count}; they are numbered from 0"
            ))
        }
    }

    /// A name for what it leaves behind, as in `2-of-12`.
    pub(crate) fn name(self) -> String {
        format!("{}-of-{}", self.index, self.count)
    }

    /// How many of the seeds are this one's.
    pub(crate) const fn number(self, seeds: Seeds) -> u64 {
        seeds
            .number()
            .saturating_sub(self.index)
            .div_ceil(self.count)
    }

    /// The seed of this one's with this place among them, from 0: every `count`-th, so that each
    /// shard has about as many whatever the range is.
    pub(crate) const fn seed(self, seeds: Seeds, place: u64) -> u64 {
        seeds.first + self.index + place * self.count
    }
}

fn found(variable: impl Fn(&str) -> Option<String>) -> Result<u64, String> {
    for (name, first) in INDEX_FROM {
        let Some(value) = variable(name) else {
            continue;
        };
        return match value.trim().parse::<u64>() {
            Ok(number) if number >= first => Ok(number - first),
            // Docker Swarm takes slot 0 for none, and puts the machine's name there.
            Err(_) if name == "SLOT" && !value.trim().is_empty() => Ok(0),
            _ => Err(format!("{name} is `{value}`, which is no number of a task")),
        };
    }
    let names = INDEX_FROM.map(|(name, _)| name).join(", ");
    Err(format!(
        "nothing says which shard this is; say it, as in 0/12, or set one of {names}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_half_open_or_closed() {
        let seeds = |text: &str| text.parse::<Seeds>();
        assert_eq!(
            seeds("1..101"),
            Ok(Seeds {
                first: 1,
                last: 100
            })
        );
        assert_eq!(seeds("7..=7").unwrap().number(), 1);
        assert_eq!(
            seeds("0..=18446744073709551615").unwrap().number(),
            u64::MAX
        );
        for wrong in [
            "", "5", "5..5", "9..3", "0..0", "a..b", "1...3", "-1..4", "1..", "..4",
        ] {
            assert!(seeds(wrong).is_err(), "{wrong}");
        }
    }

    fn shard(text: &str, variables: &[(&str, &str)]) -> Result<Shard, String> {
        Shard::read(text, |name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn engines_say_which_shard_it_is() {
        let third = Ok(Shard { index: 2, count: 5 });
        assert_eq!(shard("2/5", &[]), third);
        assert_eq!(shard("auto/5", &[("JOB_COMPLETION_INDEX", "2")]), third);
        assert_eq!(shard("auto/5", &[("SLURM_ARRAY_TASK_ID", "2")]), third);
        assert_eq!(shard("auto/5", &[("CI_NODE_INDEX", "3")]), third);
        assert_eq!(shard("auto/5", &[("SLOT", "2")]), third);
    }

    /// Docker Swarm takes the first slot of a job, 0, for none, and gives the id of the machine.
    #[test]
    fn the_first_slot_of_a_swarm_is_no_number() {
        let first = Ok(Shard { index: 0, count: 5 });
        assert_eq!(shard("auto/5", &[("SLOT", "x4kq0w7hfn2l")]), first);
        assert!(shard("auto/5", &[("SLOT", "")]).is_err());
        assert!(shard("auto/5", &[("JOB_COMPLETION_INDEX", "x4kq")]).is_err());
    }

    #[test]
    fn what_is_no_shard_is_refused() {
        for wrong in ["", "3", "5/5", "1/0", "-1/4", "a/4", "1/b", "auto/4"] {
            assert!(shard(wrong, &[]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn each_seed_is_in_one_shard() {
        for last in [7, 8, 10, 11, 40] {
            let seeds = Seeds { first: 7, last };
            let shards = (0..5).map(|index| Shard { index, count: 5 });
            let has =
                |shard: Shard| (0..shard.number(seeds)).map(move |place| shard.seed(seeds, place));
            let mut all: Vec<u64> = shards.flat_map(has).collect();
            all.sort_unstable();
            assert_eq!(all, (7..=last).collect::<Vec<u64>>());
            assert_eq!(Shard::ALL.number(seeds), seeds.number());
        }
    }
}
